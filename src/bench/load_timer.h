// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_LOAD_TIMER_H_
#define BITFETCH_BENCH_LOAD_TIMER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "machine/cold_buffer.h"
#include "machine/profile.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bitfetch {

#if defined(__x86_64__) || defined(__aarch64__)
inline constexpr bool kHasLoadTimer = true;
#else
inline constexpr bool kHasLoadTimer = false;
#endif

// The time stamp counter, or the virtual counter on ARM.
[[gnu::always_inline]] inline uint64_t Ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return 0;
#endif
}

// The same after all loads so far have come and before any later one begins.
[[gnu::always_inline]] inline uint64_t FencedTicks() {
#if defined(__x86_64__)
  _mm_lfence();
  const uint64_t ticks = Ticks();
  _mm_lfence();
  return ticks;
#elif defined(__aarch64__)
  asm volatile("dsb ld\n\tisb" : : : "memory");
  const uint64_t ticks = Ticks();
  asm volatile("isb" : : : "memory");
  return ticks;
#else
  return Ticks();
#endif
}

// One load, in ticks.
struct TimedLoad {
  uint64_t before;  // until all loads that the core had under way had come
  uint64_t load;    // then the load itself, fences included
};

// Times the load of one byte. Costs both, and what the core could have had under way meanwhile.
[[gnu::always_inline]] inline TimedLoad TimeLoad(const void* address) {
  const uint64_t asked = Ticks();
  const uint64_t begin = FencedTicks();
  static_cast<void>(*static_cast<const volatile std::byte*>(address));
  return {begin - asked, FencedTicks() - begin};
}

// What TimeLoad gives on this machine. Levels whose loads it cannot tell apart are one.
struct LoadTimes {
  struct Level {
    std::string name;  // "L1", "L2", "L3", "DRAM"; "L1 to L3" where they are not told apart
    double ns;         // that a load from there takes, fences included
  };
  double ns_per_tick;
  double step_ns;             // by which the counter moves
  std::vector<Level> levels;  // the last is DRAM

  // The level that a load of so many nanoseconds came from: the nearest by ratio.
  size_t LevelOf(double ns) const;
  double BorderNs(size_t level) const;  // between it and the one before
  double DramBorderNs() const { return BorderNs(levels.size() - 1); }
};

// Levels of caches that differ by less than two steps of the counter are joined. Errors: DRAM
// cannot be told from the caches, since the counter moves in too large steps.
Result<LoadTimes> JoinLevels(double ns_per_tick, double step_ns,
                             std::vector<LoadTimes::Level> measured);

// Measures all that, with the sizes of the caches that the profile gives; `cold` is larger than all
// of them. Takes some tens of milliseconds. Errors: those of JoinLevels; no counter on this
// architecture.
Result<LoadTimes> MeasureLoadTimes(const MachineProfile& profile, const ColdBuffer& cold);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_LOAD_TIMER_H_
