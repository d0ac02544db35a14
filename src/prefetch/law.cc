// SPDX-License-Identifier: Apache-2.0
#include "prefetch/law.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "machine/race.h"
#include "machine/topology.h"
#include "prefetch/streams.h"

namespace bitfetch {
namespace {

// The part of L2 that a distance may always take: lines that wait there cost nothing else.
constexpr int64_t kL2Part = 16;
// The part of a run that it may always take: what lies behind the run is fetched for nothing.
constexpr int64_t kRunPart = 16;

// What a thread uses at most, in bytes per nanosecond.
double Rate(const MachineProfile& profile, const KernelSpeed& kernel, int threads) {
  const double share = ReadBytesPerSecond(profile, threads) / threads;
  return std::min(share, kernel.hot_bytes_per_s) * 1e-9;
}

double Latency(const MachineProfile& profile, PageSize pages) {
  return pages == PageSize::kHuge ? std::max(profile.loaded_latency_ns, profile.latency_ns)
                                  : std::max({profile.loaded_latency_4k_ns, profile.latency_4k_ns,
                                              profile.loaded_latency_ns, profile.latency_ns});
}

// The lines that a cache has room for, beside what the kernel keeps there.
int64_t RoomLines(int64_t cache_bytes, int64_t working_set_bytes, int sharers) {
  return (cache_bytes / sharers - std::max<int64_t>(working_set_bytes, 0)) / kLineBytes;
}

int64_t LinesFor(double bytes) { return static_cast<int64_t>(std::ceil(bytes / kLineBytes)); }

// PlanAlong for a profile that CheckProfile accepts.
PrefetchPlan Plan(const MachineProfile& profile, const PrefetchAccess& access,
                  const KernelSpeed& kernel, PrefetchHint hint, int streams) {
  const int threads = std::max(access.threads, 1);
  const int sharers = (threads + profile.cores - 1) / profile.cores;  // of a core
  const double rate = Rate(profile, kernel, threads);
  // Little's law, and what the kernel would use while a late line is waited for.
  int64_t wanted = LinesFor((Latency(profile, access.pages) + profile.jitter_ns) * rate);

  int64_t room = RoomLines(profile.l1d_bytes, access.working_set_bytes, sharers);
  if (room < 1) hint = PrefetchHint::kL2;
  if (hint == PrefetchHint::kL2) {
    room = std::max<int64_t>(RoomLines(profile.l2_bytes, access.working_set_bytes, sharers), 1);
    int64_t lead = profile.l2_bytes / sharers / kL2Part;
    if (access.run_bytes > 0) lead = std::min(lead, access.run_bytes / kRunPart);
    wanted = std::max(wanted, lead / kLineBytes);
  }

  PrefetchPlan plan{.on = true, .hint = hint};
  const int64_t lines = std::clamp<int64_t>(wanted, 1, room);
  plan.streams = std::max(streams, 1);
  if (plan.streams > lines) plan.streams = static_cast<int>(std::bit_floor<uint64_t>(lines));
  const int64_t each = std::min((lines + plan.streams - 1) / plan.streams, room / plan.streams);
  plan.distance_bytes = each * plan.streams * kLineBytes;
  return plan;
}

}  // namespace

PrefetchPlan PlanAlong(const MachineProfile& any_profile, const PrefetchAccess& access,
                       PrefetchHint hint, int streams) {
  const MachineProfile profile = ClampProfile(any_profile);
  return Plan(profile, access, NearestKernel(profile, access), hint, streams);
}

PrefetchPlan ChoosePrefetch(const MachineProfile& any_profile, const PrefetchAccess& access) {
  const MachineProfile profile = ClampProfile(any_profile);
  const KernelSpeed& kernel = NearestKernel(profile, access);
  const Streams best = ChooseStreams(kernel, access);
  if (best.gain.times < Race::kEqual) return {};
  return Plan(profile, access, kernel, best.hint, best.streams);
}

}  // namespace bitfetch
