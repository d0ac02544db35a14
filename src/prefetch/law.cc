// SPDX-License-Identifier: Apache-2.0
#include "prefetch/law.h"

#include <algorithm>
#include <cmath>

#include "machine/topology.h"
#include "prefetch/breadth.h"

namespace bitfetch {
namespace {

// What a thread reads at most, in bytes per nanosecond.
double Rate(const MachineProfile& profile, const PrefetchAccess& access, int threads) {
  const double share = ReadBytesPerSecond(profile, threads) / threads;
  const double hot = access.hot_bytes_per_s;
  return (hot > 0 ? std::min(share, hot) : share) * 1e-9;
}

double Latency(const MachineProfile& profile, const PrefetchAccess& access) {
  const double latency = std::max(profile.loaded_latency_ns, profile.latency_ns);
  if (access.pages == PageSize::kHuge) return latency;
  return latency + std::max(profile.latency_4k_ns - profile.latency_ns, 0.0);  // page walks
}

// The lines that a cache has room for, beside what the kernel keeps there.
int64_t RoomLines(int64_t cache_bytes, int64_t working_set_bytes, int sharers) {
  return (cache_bytes / sharers - std::max<int64_t>(working_set_bytes, 0)) / kLineBytes;
}

}  // namespace

PrefetchPlan ChoosePrefetch(const MachineProfile& any_profile, const PrefetchAccess& access) {
  const MachineProfile profile = ClampProfile(any_profile);
  const int threads = std::max(access.threads, 1);

  // What stays in L2 from visit to visit doesn't come from DRAM.
  if (access.revisit_bytes > 0 &&
      access.revisit_bytes / std::min(threads, profile.cores) <= profile.l2_bytes) {
    return {};
  }
  const Breadth breadth = ChooseBreadth(profile, access);
  if (breadth.gain <= 1) return {};

  // Little's law: latency x rate, and no more than a core keeps in flight; and what it would use
  // while a late line is waited for.
  const double rate = Rate(profile, access, threads);
  const double bytes =
      std::min(Latency(profile, access) * rate, profile.misses_in_flight * kLineBytes) +
      profile.jitter_ns * rate;

  PrefetchPlan plan{.on = true};
  const int sharers = (threads + profile.cores - 1) / profile.cores;  // of a core
  int64_t room = RoomLines(profile.l1d_bytes, access.working_set_bytes, sharers);
  if (room < 1) {
    plan.hint = PrefetchHint::kL2;
    room = std::max<int64_t>(RoomLines(profile.l2_bytes, access.working_set_bytes, sharers), 1);
  }
  const int64_t wanted = static_cast<int64_t>(std::ceil(bytes / kLineBytes));
  const int64_t lines = std::clamp<int64_t>(wanted, 1, room);
  plan.streams = static_cast<int>(std::min<int64_t>(breadth.streams, lines));
  const int64_t each = std::min((lines + plan.streams - 1) / plan.streams, room / plan.streams);
  plan.distance_bytes = each * plan.streams * kLineBytes;
  return plan;
}

}  // namespace bitfetch
