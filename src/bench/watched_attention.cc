// SPDX-License-Identifier: Apache-2.0
#include "bench/watched_attention.h"

#include "bench/timed_attention.h"
#include "kernels/scalar.h"

namespace bitfetch {
namespace {

constinit thread_local AttentionMeter meter;

using Attend = void (*)(const AttendJob&);
using TimedAttend = void (*)(const AttendJob&, TouchSampler&);

template <Attend kAttend, TimedAttend kTimed>
void AttendWatched(const AttendJob& job) {
  if (meter.counters != nullptr) meter.counters->Start();
  if (meter.touches != nullptr && kTimed != nullptr) {
    kTimed(job, *meter.touches);
  } else {
    kAttend(job);
  }
  if (meter.counters != nullptr) meter.counters->Stop();
}

struct Watched {
  Attend attend;
  Attend watched;
};

constexpr Watched kWatched[] = {
    {scalar::Attend, AttendWatched<scalar::Attend, nullptr>},
#if defined(__x86_64__)
#ifndef BITFETCH_WITHOUT_AVX2
    {N_AVX2::plain::Attend, AttendWatched<N_AVX2::plain::Attend, N_AVX2::plain::TimedAttend>},
#endif
#ifndef BITFETCH_WITHOUT_AVX512
    {N_AVX3::plain::Attend, AttendWatched<N_AVX3::plain::Attend, N_AVX3::plain::TimedAttend>},
#endif
#ifndef BITFETCH_WITHOUT_AVX512VNNI
    {N_AVX3::vnni::Attend, AttendWatched<N_AVX3::vnni::Attend, N_AVX3::vnni::TimedAttend>},
#endif
#elif defined(__aarch64__)
    {N_NEON::plain::Attend, AttendWatched<N_NEON::plain::Attend, N_NEON::plain::TimedAttend>},
    {N_NEON::dotprod::Attend, AttendWatched<N_NEON::dotprod::Attend, N_NEON::dotprod::TimedAttend>},
    {N_NEON::i8mm::Attend, AttendWatched<N_NEON::i8mm::Attend, N_NEON::i8mm::TimedAttend>},
#endif
};

}  // namespace

Kernels WatchedKernels(const Kernels& kernels) {
  Kernels watched = kernels;
  for (const Watched& each : kWatched) {
    if (each.attend == kernels.attend) watched.attend = each.watched;
  }
  return watched;
}

void WatchAttention(ThreadPool& pool, std::span<const AttentionMeter> meters) {
  pool.Run([&](int thread) { meter = meters.empty() ? AttentionMeter{} : meters[thread]; });
}

}  // namespace bitfetch
