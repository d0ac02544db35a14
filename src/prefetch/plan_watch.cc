// SPDX-License-Identifier: Apache-2.0
#include "prefetch/plan_watch.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "prefetch/streams.h"

namespace bitfetch {
namespace {

// Of a thread: what takes less is all fork and join.
constexpr int64_t kMinBytes = int64_t{1} << 20;

Speedup Times(const Speedup& speedup, double factor) {
  return {speedup.times * factor, speedup.min * factor, speedup.max * factor};
}

}  // namespace

PlanWatch::PlanWatch(const MachineProfile& any_profile, const PrefetchAccess& access)
    : access_(access) {
  access_.threads = std::max(access.threads, 1);
  const MachineProfile profile = ClampProfile(any_profile);
  cache_bytes_ = std::max(profile.l2_bytes * profile.cores, profile.l3_bytes);
  const KernelSpeed& kernel = NearestKernel(profile, access);
  const Streams best = ChooseStreams(kernel, access);
  chosen_ = {ChoosePrefetch(profile, access), best.hint, best.streams};

  std::vector<PrefetchGain> gains = NearestGains(kernel, access);
  std::ranges::stable_sort(gains, std::greater{}, [&](const PrefetchGain& gain) {
    return access.paged ? gain.paged.times : gain.contiguous.times;
  });
  for (const PrefetchGain& gain : gains) {
    if (gain.streams > std::max(access.max_streams, 1)) continue;
    others_.push_back(
        {PlanAlong(profile, access, gain.hint, gain.streams), gain.hint, gain.streams});
  }
  others_.push_back({});  // off
  std::erase_if(others_, [&](const Way& way) { return way.plan == chosen_.plan; });
}

bool PlanWatch::Tells(int64_t bytes, int64_t pass_bytes) const {
  return bytes >= kMinBytes * access_.threads && pass_bytes > 2 * cache_bytes_;
}

const PrefetchPlan& PlanWatch::plan() const {
  return rest_ > 0 || race_.next() == 0 ? chosen_.plan : others_[other_].plan;
}

void PlanWatch::Add(double cost) {
  if (found_better_ || others_.empty()) return;
  if (rest_ > 0) {
    --rest_;
    return;
  }
  race_.Add(cost);
  if (!race_.between_heats()) return;
  rest_ = rest_between_heats_;
  if (!race_.over()) return;
  const Speedup chosen = race_.OverLeader(0);
  const bool wins = chosen.max < 1 && chosen.times * Race::kEqual < 1;
  found_better_ = wins && won_;
  if (found_better_) return;
  won_ = wins;
  if (!won_) {
    other_ = (other_ + 1) % others_.size();
    rest_between_heats_ = std::min(2 * rest_between_heats_, kMaxRest);
  }
  race_ = Race(2);
}

void PlanWatch::Mend(MachineProfile& profile) const {
  profile = ClampProfile(profile);
  KernelSpeed kernel = NearestKernel(profile, access_);
  kernel.name = access_.kernel;
  kernel.value_bits = access_.value_bits;
  std::vector<PrefetchGain> gains = NearestGains(kernel, access_);
  for (PrefetchGain& gain : gains) {
    gain.pages = access_.pages;
    gain.threads = access_.threads;
  }
  const auto speed = [&](PrefetchGain& gain) -> Speedup& {
    return access_.paged ? gain.paged : gain.contiguous;
  };
  const auto of = [&](const Way& way) -> Speedup& {
    for (PrefetchGain& gain : gains) {
      if (gain.hint == way.hint && gain.streams == way.streams) return speed(gain);
    }
    gains.push_back({access_.pages, access_.threads, way.hint, way.streams});
    return speed(gains.back());
  };

  const Way& other = others_[other_];
  if (chosen_.plan.on && other.plan.on) {
    // Off was not measured again: the best stays what it was, and is now the other.
    Speedup best = of(other);
    for (PrefetchGain& gain : gains) {
      if (speed(gain).times > best.times) best = speed(gain);
    }
    // Whoever else may be faster has races to come.
    for (PrefetchGain& gain : gains) speed(gain).max = std::min(speed(gain).max, best.times);
    of(other) = best;
    of(chosen_) = Times(race_.OverLeader(0), best.times);
  } else {
    // How the others compare with the one that was measured stays what it was.
    const Speedup now = chosen_.plan.on ? race_.OverLeader(0) : race_.Over(0, 1);
    const Way& way = chosen_.plan.on ? chosen_ : other;
    const double factor = now.times / of(way).times;
    for (PrefetchGain& gain : gains) speed(gain) = Times(speed(gain), factor);
    of(way) = now;
  }

  std::erase_if(kernel.gains, [&](const PrefetchGain& gain) {
    return gain.pages == access_.pages && gain.threads == access_.threads;
  });
  kernel.gains.insert(kernel.gains.end(), gains.begin(), gains.end());
  std::erase_if(profile.kernels, [&](const KernelSpeed& each) { return each.name == kernel.name; });
  profile.kernels.push_back(std::move(kernel));
  profile = ClampProfile(profile);
}

}  // namespace bitfetch
