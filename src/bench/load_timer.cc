// SPDX-License-Identifier: Apache-2.0
#include "bench/load_timer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "machine/chase.h"
#include "machine/clock.h"

namespace bitfetch {
namespace {

constexpr size_t kLineBytes = 64;
constexpr int kLoads = 2048;  // of each level

double NsPerTick() {
  constexpr double kWaitNs = 10e6;
  const double begin_ns = NowNs();
  const uint64_t begin = FencedTicks();
  double ns = 0;
  while (ns < kWaitNs) ns = NowNs() - begin_ns;
  return ns / static_cast<double>(FencedTicks() - begin);
}

// The smallest by which two readings, one after the other, differ more or less than two others.
uint64_t StepTicks() {
  std::vector<uint64_t> readings(4096);
  for (uint64_t& reading : readings) reading = FencedTicks();
  std::vector<uint64_t> apart;
  for (size_t i = 1; i < readings.size(); ++i) apart.push_back(readings[i] - readings[i - 1]);
  std::ranges::sort(apart);
  uint64_t step = std::numeric_limits<uint64_t>::max();
  for (size_t i = 1; i < apart.size(); ++i) {
    if (apart[i] > apart[i - 1]) step = std::min(step, apart[i] - apart[i - 1]);
  }
  return std::max<uint64_t>(step, 1);
}

// That a share of them takes less than.
double Quantile(std::vector<uint64_t>& ticks, double share) {
  const auto at = ticks.begin() + static_cast<int64_t>(share * static_cast<double>(ticks.size()));
  std::ranges::nth_element(ticks, at);
  return static_cast<double>(*at);
}

// Ticks of loads of random lines of a set, in the innermost cache that holds all of it: the median.
double CachedTicks(std::span<const std::byte> set) {
  const uint64_t mask = std::bit_floor(set.size() / kLineBytes) - 1;
  std::vector<uint64_t> ticks;
  uint64_t state = 0;
  const auto next = [&] {
    state = NextInChase(state) & mask;
    return set.data() + LineInChase(state, mask) * kLineBytes;
  };
  for (uint64_t i = 0; i < 4 * mask; ++i) {
    static_cast<void>(*static_cast<const volatile std::byte*>(next()));
  }
  for (int i = 0; i < kLoads; ++i) ticks.push_back(TimeLoad(next()).load);
  return Quantile(ticks, 0.5);
}

// The same of random lines of memory that no cache holds, a few near each other and then a few
// farther on, as a kernel walks it. Of a tenth of them, since what others ask of DRAM at the time
// only adds to it.
double ColdTicks(std::span<const std::byte> memory) {
  constexpr int kNear = 16;
  const size_t window = std::bit_floor(memory.size() / (kLoads / kNear));
  std::vector<uint64_t> ticks;
  for (int i = 0; i < kLoads; ++i) {
    const uint64_t line = LineInChase(NextInChase(i), window / kLineBytes - 1);
    ticks.push_back(TimeLoad(memory.data() + i / kNear * window + line * kLineBytes).load);
  }
  return Quantile(ticks, 0.1);
}

}  // namespace

size_t LoadTimes::LevelOf(double ns) const {
  size_t level = 0;
  while (level + 1 < levels.size() && ns >= BorderNs(level + 1)) ++level;
  return level;
}

double LoadTimes::BorderNs(size_t level) const {
  return level == 0 ? 0 : std::sqrt(levels[level - 1].ns * levels[level].ns);
}

Result<LoadTimes> JoinLevels(double ns_per_tick, double step_ns,
                             std::vector<LoadTimes::Level> measured) {
  LoadTimes times{ns_per_tick, step_ns, {}};
  const LoadTimes::Level dram = std::move(measured.back());
  measured.pop_back();
  std::string first;  // of those that were joined
  for (LoadTimes::Level& level : measured) {
    level.ns = std::max(level.ns, step_ns);  // one that reads as nothing would have no border
    if (!times.levels.empty() && level.ns < times.levels.back().ns + 2 * step_ns) {
      LoadTimes::Level& joined = times.levels.back();
      joined.ns = std::max(joined.ns, level.ns);
      joined.name = first + " to " + level.name;
      continue;
    }
    first = level.name;
    times.levels.push_back(std::move(level));
  }
  if (dram.ns < times.levels.back().ns + 2 * step_ns) {
    return Fail(
        "this machine's counter moves in steps of {:.0f} ns, which do not tell a load from DRAM "
        "({:.0f} ns) from one out of {} ({:.0f} ns)",
        step_ns, dram.ns, times.levels.back().name, times.levels.back().ns);
  }
  times.levels.push_back(dram);
  return times;
}

Result<LoadTimes> MeasureLoadTimes(const MachineProfile& profile, const ColdBuffer& cold) {
  if (!kHasLoadTimer) return Fail("this architecture has no counter that a program can read");
  const std::span<const std::byte> memory = cold.bytes();
  const double ns_per_tick = NsPerTick();
  std::vector<LoadTimes::Level> levels;
  // The lines of DRAM first, before a smaller set brings some of them in.
  const double dram_ns = ColdTicks(memory) * ns_per_tick;
  const auto add = [&](std::string name, int64_t bytes) {
    const auto set = memory.first(std::min<size_t>(bytes, memory.size()));
    levels.push_back({std::move(name), CachedTicks(set) * ns_per_tick});
  };
  add("L1", profile.l1d_bytes / 4);
  add("L2", profile.l2_bytes / 2);
  if (profile.l3_bytes >= 4 * profile.l2_bytes) add("L3", profile.l2_bytes * 2);
  levels.push_back({"DRAM", dram_ns});
  return JoinLevels(ns_per_tick, static_cast<double>(StepTicks()) * ns_per_tick, std::move(levels));
}

}  // namespace bitfetch
