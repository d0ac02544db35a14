// SPDX-License-Identifier: Apache-2.0
#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace bitfetch {
namespace {

std::string Head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP bitfetch_{0} {2}\n# TYPE bitfetch_{0} {1}\n", name, type, help);
}

template <class T>
std::string Value(std::string_view name, std::string_view type, std::string_view help, T value) {
  return fmt::format("{}bitfetch_{} {}\n", Head(name, type, help), name, value);
}

template <class Counts>
std::string Counters(std::string_view name, std::string_view label, std::string_view help,
                     const Counts& counts) {
  std::string text = Head(name, "counter", help);
  for (const auto& [value, count] : counts) {
    text += fmt::format("bitfetch_{}{{{}=\"{}\"}} {}\n", name, label, value, count);
  }
  return text;
}

// As vLLM counts them.
std::string_view FinishedReason(const CompletionEnd& end) {
  if (!end.status) return "error";
  switch (end.reason) {
    case StopReason::kStopToken:
    case StopReason::kStopString:
      return "stop";
    case StopReason::kInterrupted:
      return "abort";
    case StopReason::kTokens:
    case StopReason::kContextFull:
      break;
  }
  return "length";
}

}  // namespace

void Histogram::Record(double value) {
  ++counts_[std::ranges::lower_bound(bounds_, value) - bounds_.begin()];
  sum_ += value;
}

std::string Histogram::Text(std::string_view name, std::string_view help) const {
  std::string text = Head(name, "histogram", help);
  int64_t up_to = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    up_to += counts_[i];
    text += fmt::format("bitfetch_{}_bucket{{le=\"{}\"}} {}\n", name,
                        i < bounds_.size() ? fmt::to_string(bounds_[i]) : "+Inf", up_to);
  }
  return text + fmt::format("bitfetch_{0}_sum {1}\nbitfetch_{0}_count {2}\n", name, sum_, up_to);
}

namespace {

// Of the store of KV behind memory, if there is one.
std::string StoreText(const std::optional<KvTier::Stats>& store) {
  if (!store) return {};
  return Value("external_prefix_cache_queries_total", "counter",
               "Tokens that were not in memory and that the store of KV was asked for.",
               store->queried_tokens) +
         Value("external_prefix_cache_hits_total", "counter", "Of them, tokens whose KV came.",
               store->hit_tokens) +
         Value("kv_store_read_bytes_total", "counter", "KV that came from the store.",
               store->read_bytes) +
         Value("kv_store_written_bytes_total", "counter", "KV that was written to the store.",
               store->written_bytes) +
         Value("kv_store_faults_total", "counter",
               "Records that were damaged or not written, and times that the store did not answer.",
               store->faults);
}

}  // namespace

Metrics::Metrics()
    : first_token_({.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200}),
      next_token_({.005, .01, .02, .03, .05, .075, .1, .15, .2, .3, .5, 1, 2, 5}),
      request_({.1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}),
      queue_({.001, .01, .1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200}),
      finished_{{"abort", 0}, {"error", 0}, {"length", 0}, {"stop", 0}} {}

void Metrics::OnFirstToken(double seconds_since_request) {
  const std::lock_guard lock(mutex_);
  first_token_.Record(seconds_since_request);
}

void Metrics::OnNextToken(double seconds_since_last) {
  const std::lock_guard lock(mutex_);
  next_token_.Record(seconds_since_last);
}

void Metrics::OnEnd(const CompletionEnd& end, double seconds_since_request) {
  const std::lock_guard lock(mutex_);
  ++finished_[FinishedReason(end)];
  request_.Record(seconds_since_request);
  queue_.Record(end.queue_seconds);
}

void Metrics::OnResponse(int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[status];
}

std::string Metrics::Text(const SchedulerStats& scheduler) const {
  const std::lock_guard lock(mutex_);
  return Value("num_requests_running", "gauge", "Texts that are being written.",
               scheduler.running) +
         Value("num_requests_waiting", "gauge", "Texts that wait for their turn.",
               scheduler.waiting) +
         Value("kv_cache_usage_perc", "gauge", "Share of the KV cache that is held, 0 to 1.",
               scheduler.kv_usage) +
         Value("num_preemptions_total", "counter",
               "Times that a text gave its KV back and was computed again.",
               scheduler.preemptions) +
         Value("prefix_cache_queries_total", "counter", "Tokens of prompts that were looked up.",
               scheduler.prompt_tokens) +
         Value("prefix_cache_hits_total", "counter", "Of them, tokens whose KV was there.",
               scheduler.cached_tokens) +
         Value("prompt_tokens_total", "counter", "Tokens of prompts.", scheduler.prompt_tokens) +
         Value("generation_tokens_total", "counter", "Tokens written.", scheduler.tokens) +
         Value("spec_decode_num_drafts_total", "counter",
               "Times that tokens of a text were guessed ahead.", scheduler.drafts) +
         Value("spec_decode_num_draft_tokens_total", "counter", "Tokens that were guessed.",
               scheduler.guesses) +
         Value("spec_decode_num_accepted_tokens_total", "counter",
               "Of them, tokens that were drawn as guessed.", scheduler.accepted) +
         StoreText(scheduler.store) +
         first_token_.Text("time_to_first_token_seconds", "From a request to its first text.") +
         next_token_.Text("inter_token_latency_seconds", "From one piece of text to the next.") +
         request_.Text("e2e_request_latency_seconds", "From a request to the end of its answer.") +
         queue_.Text("request_queue_time_seconds", "From a request to the start of its prompt.") +
         Counters("request_success_total", "finished_reason", "Texts that have ended, by reason.",
                  finished_) +
         Counters("http_responses_total", "status", "Responses by HTTP status.", responses_);
}

}  // namespace bitfetch
