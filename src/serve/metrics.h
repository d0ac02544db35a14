// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_METRICS_H_
#define BITFETCH_SERVE_METRICS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "serve/schedule/completion.h"
#include "serve/schedule/scheduler.h"

namespace bitfetch {

// How many values fell where: Prometheus' histogram.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds)
      : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  void Record(double value);
  // In the text format.
  std::string Text(std::string_view name, std::string_view help) const;

 private:
  std::vector<double> bounds_;  // ascending: each but the last count is of values up to one
  std::vector<int64_t> counts_;
  double sum_ = 0;
};

// What a server has done, in the text format of Prometheus
// (prometheus.io/docs/instrumenting/exposition_formats), with vLLM's names behind "bitfetch_". Any
// thread may call it.
class Metrics {
 public:
  Metrics();

  void OnFirstToken(double seconds_since_request);
  void OnNextToken(double seconds_since_last);
  void OnEnd(const CompletionEnd& end, double seconds_since_request);
  void OnResponse(int status);

  std::string Text(const SchedulerStats& scheduler) const;

 private:
  mutable std::mutex mutex_;
  Histogram first_token_, next_token_, request_, queue_;
  std::map<std::string_view, int64_t> finished_;  // by reason
  std::map<int, int64_t> responses_;              // by status
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_METRICS_H_
