// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "base/log.h"
#include "bench/serve_bench.h"
#include "cli/bench/commands.h"
#include "cli/bench/rows.h"

namespace bitfetch {
namespace {

struct Options {
  ServeBenchOptions bench;
  std::string json;
};

std::string Header() {
  return fmt::format("{:>11}  {:>9}  {:>6}  {:>8}  {:>10}  {:<24}  {:<24}  {}", "concurrency",
                     "completed", "failed", "tokens/s", "requests/s", "ms to first text, p50/p99",
                     "ms between texts, p50/p99", "ms to end, p50/p99");
}

std::string TableRow(const ServeBenchRow& row) {
  const auto latency = [](const LatencySummary& of) {
    return fmt::format("{:.1f} / {:.1f}", of.median, of.p99);
  };
  return fmt::format("{:>11}  {:>9}  {:>6}  {:>8.1f}  {:>10.2f}  {:<24}  {:<24}  {}",
                     row.concurrency, row.completed, row.failed, row.output_throughput,
                     row.request_throughput, latency(row.ttft_ms), latency(row.itl_ms),
                     latency(row.e2el_ms));
}

BenchJson ToJson(const ServeBenchRow& row) {
  BenchJson json = {{"bench", "serve"},
                    {"max_concurrency", row.concurrency},
                    {"request_rate", row.rate},
                    {"completed", row.completed},
                    {"failed", row.failed},
                    {"duration", row.duration_s},
                    {"total_input_tokens", row.input_tokens},
                    {"total_output_tokens", row.output_tokens},
                    {"request_throughput", row.request_throughput},
                    {"request_goodput", row.request_goodput},
                    {"output_throughput", row.output_throughput},
                    {"tokens_per_s", row.output_throughput},
                    {"total_token_throughput", row.total_token_throughput}};
  const auto add = [&](const std::string& name, const LatencySummary& of) {
    json["mean_" + name + "_ms"] = of.mean;
    json["median_" + name + "_ms"] = of.median;
    json["p50_" + name + "_ms"] = of.median;
    json["p90_" + name + "_ms"] = of.p90;
    json["p99_" + name + "_ms"] = of.p99;
  };
  add("ttft", row.ttft_ms);
  add("tpot", row.tpot_ms);
  add("itl", row.itl_ms);
  add("e2el", row.e2el_ms);
  return json;
}

Status RunServeBench(const ServeBenchOptions& options, BenchRows& rows) {
  const auto on_row = [&](const ServeBenchRow& row, int64_t done, int64_t total) -> Status {
    if (row.failed > 0) Warn("{} requests failed, the first so: {}", row.failed, row.error);
    BITFETCH_RETURN_IF_ERROR(rows.Add(TableRow(row), ToJson(row)));
    return rows.Show(done, total, "loads");
  };
  return BenchServe(options, on_row);
}

}  // namespace

void AddBenchServe(Command& bench) {
  const auto options = std::make_shared<Options>();
  options->bench.server = ParseServerUrl("http://127.0.0.1:8080").value();
  Command& command = bench.Add(
      "serve",
      {.usage = "[--url URL] [options]",
       .summary = "measure a server that speaks OpenAI's interface, ours or another",
       .more =
           R"(Posts completions of random tokens to URL/v1/completions, streamed, so many at a time, and tells how
long texts took to come. The server runs already, on the same machine or another; that this program
takes a part of the machine, too, is part of the figures. Fields of the JSON are named as vLLM's
benchmark names them: ttft is the time to the first text, itl between two, tpot a token's share of
the rest, e2el the time to the end.

examples:
  bitfetch bench serve --concurrency 1,4,8 --max-tokens 128
  bitfetch bench serve --url http://127.0.0.1:8081 --rate 0.5 --requests 50 --json serve.json)"});
  ServeBenchOptions& load = options->bench;
  command.AddParsed("--url", "URL", "where the server listens (default: http://127.0.0.1:8080)",
                    &load.server, ParseServerUrl);
  command.AddText("--model", "NAME", "what requests call the model (default: bitfetch)",
                  &load.model);
  command.AddText("--api-key", "KEY", "the key that the server wants", &load.api_key);
  command.AddParsed(
      "--concurrency", "N,...", "how many requests are under way at a time (default: 1,4,8)",
      &load.concurrency,
      [](std::string_view text) { return ParseList<int>(text, Integer<int>(1, 4096)); });
  command.AddParsed("--rate", "R",
                    "requests a second, at random times; --concurrency is then the most at a time "
                    "(default: the next one when one ends)",
                    &load.rate, [](std::string_view text) { return ParseNumber(text, 0, 1e6); });
  command.AddParsed("--requests", "N",
                    "requests of each load (default: 4 times those at a time, at least 8)",
                    &load.requests, Integer<int>(1, 1 << 20));
  command.AddParsed("--prompt-tokens", "N", "tokens of each prompt (default: 128)",
                    &load.prompt_tokens, Integer<int>(1, kMaxTokens));
  command.AddParsed("--shared", "N", "of them, those that all prompts begin with (default: 0)",
                    &load.shared_tokens, Integer<int>(0, kMaxTokens));
  command.AddParsed("--max-tokens", "N", "tokens of each answer (default: 128)", &load.max_tokens,
                    Integer<int>(1, kMaxTokens));
  command.AddParsed("--vocabulary", "N",
                    "prompts are of token ids from 100 to below N "
                    "(default: 30000)",
                    &load.vocabulary, Integer<int>(101, 1 << 30));
  command.AddParsed("--max-ttft", "MS", "a good request has its first text within this time",
                    &load.max_ttft_ms,
                    [](std::string_view text) { return ParseNumber(text, 0, 1e9); });
  command.AddParsed("--max-tpot", "MS", "a good request takes at most this for each further token",
                    &load.max_tpot_ms,
                    [](std::string_view text) { return ParseNumber(text, 0, 1e9); });
  AddJson(command, &options->json);
  command.SetRun([options] {
    return ReportRows(Header(), options->json,
                      [&](BenchRows& rows) { return RunServeBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
