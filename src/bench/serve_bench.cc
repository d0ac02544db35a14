// SPDX-License-Identifier: Apache-2.0
#include "bench/serve_bench.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <random>
#include <thread>

#include "base/json_value.h"
#include "machine/clock.h"

namespace bitfetch {
namespace {

using Clock = std::chrono::steady_clock;

struct Outcome {
  std::string error = {};
  double ttft_ms = 0;
  double e2el_ms = 0;
  std::vector<double> itl_ms = {};
  int64_t tokens = 0;

  double TpotMs() const {
    return tokens > 1 ? (e2el_ms - ttft_ms) / static_cast<double>(tokens - 1) : 0;
  }
};

// What every server has a use for is asked for by all its names.
std::string Body(const ServeBenchOptions& options, uint64_t number) {
  std::mt19937_64 shared(options.seed), own(options.seed + 1 + number);
  std::vector<int> ids;
  const auto id = [&](std::mt19937_64& random) {
    return static_cast<int>(100 + random() % static_cast<uint64_t>(options.vocabulary - 100));
  };
  for (int i = 0; i < options.shared_tokens; ++i) ids.push_back(id(shared));
  while (std::ssize(ids) < options.prompt_tokens) ids.push_back(id(own));
  return fmt::format(
      R"({{"model":{},"prompt":[{}],"max_tokens":{},"temperature":0.8,"seed":{},"ignore_eos":true,)"
      R"("stream":true,"stream_options":{{"include_usage":true}}}})",
      QuoteJson(options.model), fmt::join(ids, ","), options.max_tokens, number + 1);
}

Status Follow(EventStream& stream, double began, Outcome* outcome) {
  double last = began;
  while (true) {
    BITFETCH_ASSIGN_OR_RETURN(const std::optional<std::string> event, stream.Next());
    if (!event) return {};
    const double now = NowNs();
    BITFETCH_ASSIGN_OR_RETURN(const JsonValue json, ParseJson(*event));
    if (const JsonValue* error = json.Find("error")) {
      const auto* message = error->Find<std::string>("message");
      return Fail("{}", message != nullptr ? *message : *event);
    }
    if (const JsonValue* usage = json.Find("usage")) {
      const auto* tokens = usage->Find<int64_t>("completion_tokens");
      if (tokens != nullptr) outcome->tokens = *tokens;
    }
    const auto* choices = json.Find<JsonValue::List>("choices");
    if (choices == nullptr || choices->empty()) continue;
    const auto* text = choices->front().Find<std::string>("text");
    if (text == nullptr || text->empty()) continue;
    if (outcome->ttft_ms == 0) {
      outcome->ttft_ms = (now - began) * 1e-6;
    } else {
      outcome->itl_ms.push_back((now - last) * 1e-6);
    }
    last = now;
    outcome->e2el_ms = (now - began) * 1e-6;
  }
}

Outcome RunRequest(const ServeBenchOptions& options, uint64_t number) {
  Outcome outcome;
  const std::string body = Body(options, number);
  const std::string headers =
      options.api_key.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", options.api_key);
  const double began = NowNs();
  auto stream = EventStream::Post(options.server, "/v1/completions", headers, body);
  const Status done =
      stream ? Follow(*stream, began, &outcome) : Status(tl::unexpected(stream.error()));
  if (!done) outcome.error = done.error().message;
  if (done && outcome.ttft_ms == 0) outcome.error = "the stream had no text";
  return outcome;
}

// When each request is sent: at once, or at times as those of many clients that don't know of each
// other.
std::vector<Clock::duration> Starts(const ServeBenchOptions& options, size_t count) {
  std::vector<Clock::duration> starts(count);
  if (options.rate == 0) return starts;
  std::mt19937_64 random(options.seed);
  double at = 0;
  for (Clock::duration& start : starts) {
    start = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(at));
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    at -= std::log1p(-unit) / options.rate;
  }
  return starts;
}

ServeBenchRow RowOf(const ServeBenchOptions& options, int concurrency, double seconds,
                    const std::vector<Outcome>& outcomes) {
  ServeBenchRow row{.concurrency = concurrency, .rate = options.rate, .duration_s = seconds};
  std::vector<double> ttft, tpot, itl, e2el;
  int good = 0;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.error.empty()) {
      if (row.failed++ == 0) row.error = outcome.error;
      continue;
    }
    ++row.completed;
    row.input_tokens += options.prompt_tokens;
    row.output_tokens += outcome.tokens;
    ttft.push_back(outcome.ttft_ms);
    tpot.push_back(outcome.TpotMs());
    e2el.push_back(outcome.e2el_ms);
    itl.insert(itl.end(), outcome.itl_ms.begin(), outcome.itl_ms.end());
    good += (options.max_ttft_ms == 0 || outcome.ttft_ms <= options.max_ttft_ms) &&
            (options.max_tpot_ms == 0 || outcome.TpotMs() <= options.max_tpot_ms);
  }
  row.request_throughput = row.completed / seconds;
  row.request_goodput = good / seconds;
  row.output_throughput = static_cast<double>(row.output_tokens) / seconds;
  row.total_token_throughput = static_cast<double>(row.input_tokens + row.output_tokens) / seconds;
  row.ttft_ms = Summarize(std::move(ttft));
  row.tpot_ms = Summarize(std::move(tpot));
  row.itl_ms = Summarize(std::move(itl));
  row.e2el_ms = Summarize(std::move(e2el));
  return row;
}

ServeBenchRow RunLoad(const ServeBenchOptions& options, int concurrency, uint64_t first_number) {
  const size_t count = options.requests > 0 ? options.requests : std::max(4 * concurrency, 8);
  const std::vector<Clock::duration> starts = Starts(options, count);
  std::vector<Outcome> outcomes(count);
  std::atomic<size_t> next = 0;
  const Stopwatch watch;
  const Clock::time_point began = Clock::now();
  std::vector<std::thread> clients;
  for (int i = 0; i < concurrency; ++i) {
    clients.emplace_back([&] {
      for (size_t request; (request = next++) < count;) {
        std::this_thread::sleep_until(began + starts[request]);
        outcomes[request] = RunRequest(options, first_number + request);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  return RowOf(options, concurrency, watch.Seconds(), outcomes);
}

}  // namespace

LatencySummary Summarize(std::vector<double> ms) {
  if (ms.empty()) return {};
  std::ranges::sort(ms);
  const auto quantile = [&](double q) {
    return ms[static_cast<size_t>(std::ceil(q * static_cast<double>(ms.size()))) - 1];
  };
  double sum = 0;
  for (const double one : ms) sum += one;
  return {.mean = sum / static_cast<double>(ms.size()),
          .median = quantile(0.5),
          .p90 = quantile(0.9),
          .p99 = quantile(0.99)};
}

Status BenchServe(
    const ServeBenchOptions& options,
    const std::function<Status(const ServeBenchRow&, int64_t done, int64_t total)>& on_row) {
  uint64_t number = 0;
  const auto total = std::ssize(options.concurrency);
  for (int64_t i = 0; i < total; ++i) {
    const ServeBenchRow row = RunLoad(options, options.concurrency[i], number);
    number += static_cast<uint64_t>(row.completed + row.failed);
    if (row.completed == 0) return Fail("every request failed, the first so: {}", row.error);
    BITFETCH_RETURN_IF_ERROR(on_row(row, i + 1, total));
  }
  return {};
}

}  // namespace bitfetch
