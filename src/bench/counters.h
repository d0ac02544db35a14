// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_COUNTERS_H_
#define BITFETCH_BENCH_COUNTERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// An event that the system can count: perf_event_open(2).
struct CounterEvent {
  std::string_view name;
  uint32_t type;
  uint64_t config;
};

// Read misses of the first and last cache and of the TLB, and cycles stalled and in all.
std::span<const CounterEvent> MissEvents();

// Counts events of one thread, between Start and Stop.
class Counters {
 public:
  // For the calling thread. An event that this machine doesn't have is left out. Errors: it has
  // none of them, or the system doesn't let us; says which.
  static Result<Counters> Open(std::span<const CounterEvent> events);
  ~Counters();
  Counters(Counters&& other) noexcept = default;
  Counters& operator=(Counters&&) = delete;

  // A system call for each event. Any thread may call them, but one at a time.
  void Start();
  void Stop();

  // Of all that was counted so far, in the order of `events`; what could not be counted is empty.
  // Where events took turns on the hardware, projected to the whole time.
  std::vector<std::optional<double>> Read() const;

 private:
  explicit Counters(std::vector<int> files) : files_(std::move(files)) {}

  std::vector<int> files_;  // -1: cannot be counted
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_COUNTERS_H_
