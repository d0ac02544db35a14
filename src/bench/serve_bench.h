// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_SERVE_BENCH_H_
#define BITFETCH_BENCH_SERVE_BENCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/event_stream.h"

namespace bitfetch {

struct ServeBenchOptions {
  ServerUrl server = {};
  std::string model = "bitfetch";  // what requests name; many servers serve one whatever it is
  std::string api_key = {};
  std::vector<int> concurrency = {1, 4, 8};  // requests under way at a time
  double rate = 0;          // requests a second, at random times (Poisson); 0: as fast as they end
  int requests = 0;         // of each concurrency; 0: 4 times as many as at a time, at least 8
  int prompt_tokens = 128;  // at random
  int shared_tokens = 0;    // of them, those that all prompts begin with
  int max_tokens = 128;     // which every answer has
  int vocabulary = 30000;   // prompts have ids below it
  double max_ttft_ms = 0;   // of a good request; 0: any
  double max_tpot_ms = 0;
  uint64_t seed = 1;
};

// Of times in milliseconds.
struct LatencySummary {
  double mean = 0, median = 0, p90 = 0, p99 = 0;
};
LatencySummary Summarize(std::vector<double> ms);

// What a load came to, in the terms of vLLM's benchmark.
struct ServeBenchRow {
  int concurrency = 0;
  double rate = 0;
  int completed = 0;
  int failed = 0;
  std::string error = {};  // of the first that failed
  double duration_s = 0;
  int64_t input_tokens = 0, output_tokens = 0;  // of those that were completed
  double request_throughput = 0;                // requests a second
  double request_goodput = 0;                   // of them, those within the limits
  double output_throughput = 0;                 // tokens a second
  double total_token_throughput = 0;            // those of prompts too
  LatencySummary ttft_ms = {};                  // from a request to its first text
  LatencySummary tpot_ms = {};  // from its first text to its end, over its tokens less one
  LatencySummary itl_ms = {};   // from one text to the next
  LatencySummary e2el_ms = {};  // from a request to its end
};

// Posts completions of random tokens, streamed, to a server that speaks OpenAI's interface
// (/v1/completions with ids as the prompt), for each concurrency in turn, and hands on a row for
// each. A request that fails is counted. Errors: all fail; what `on_row` says.
Status BenchServe(
    const ServeBenchOptions& options,
    const std::function<Status(const ServeBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_SERVE_BENCH_H_
