// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_TOUCH_SAMPLER_H_
#define BITFETCH_BENCH_TOUCH_SAMPLER_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "bench/load_timer.h"
#include "prefetch/instruction.h"

namespace bitfetch {

// Times the first load of lines that attention reads, now and then, at the moment when the kernel
// loads them. For one thread; two lines apart from another's, since CPUs fetch lines in pairs.
class alignas(2 * kCacheLineBytes) TouchSampler {
 public:
  // Chunks in a row of which a line is timed: their code, cold each time, is dearer than the
  // timing.
  static constexpr int64_t kBurst = 8;

  // One line in `interval` (at least 2) chunks, on average, at random.
  TouchSampler(int64_t interval, uint32_t seed) : interval_(interval), random_(seed) { Skip(); }

  // Whether the chunk that comes next, of so many bytes, is to be shown to Touch. One of its lines
  // is then timed; or none, since the code that does so must come into the cache a chunk before.
  bool Due(size_t bytes) {
    if (--chunks_ > kBurst) return false;
    if (chunks_ == kBurst) {
      lines_ = 0;
      TimeLoad(this);
      return true;
    }
    lines_ = 1 + static_cast<int64_t>(Below(bytes / kCacheLineBytes));
    if (chunks_ == 0) Skip();
    return true;
  }

  // After other code ran: what is left of a burst begins with that chunk again.
  void Resume() {
    if (chunks_ <= kBurst) chunks_ = kBurst + 1;
  }

  // Before the first load from each line of such a chunk.
  [[gnu::always_inline]] void Touch(const void* line) {
    if (--lines_ == 0) Time(line);
  }

  // What TimeLoad gave for each.
  const std::vector<TimedLoad>& loads() const { return loads_; }
  void Clear() { loads_.clear(); }

 private:
  uint64_t Below(uint64_t end) { return random_() % end; }
  void Skip() {
    const int64_t gap = kBurst * interval_ - (kBurst + 1);
    chunks_ = kBurst + 1 + static_cast<int64_t>(Below(2 * gap + 1));
  }
  [[gnu::noinline]] static TimedLoad TimeLoad(const void* line) { return bitfetch::TimeLoad(line); }
  // Not inlined, or compiling it at every line of every kernel takes a minute.
  [[gnu::noinline]] void Time(const void* line) { loads_.push_back(TimeLoad(line)); }

  int64_t interval_;
  std::minstd_rand random_;
  int64_t chunks_ = 0;  // until a burst ends
  int64_t lines_ = 0;   // until the one that is timed
  std::vector<TimedLoad> loads_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_TOUCH_SAMPLER_H_
