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

Attend WatchedAttend(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
#ifndef BITFETCH_WITHOUT_AVX2
    case Isa::kAvx2:
      return AttendWatched<N_AVX2::plain::Attend, N_AVX2::plain::TimedAttend>;
#endif
#ifndef BITFETCH_WITHOUT_AVX512
    case Isa::kAvx512:
      return AttendWatched<N_AVX3::plain::Attend, N_AVX3::plain::TimedAttend>;
#endif
#ifndef BITFETCH_WITHOUT_AVX512VNNI
    case Isa::kAvx512Vnni:
      return AttendWatched<N_AVX3::vnni::Attend, N_AVX3::vnni::TimedAttend>;
#endif
#elif defined(__aarch64__)
    case Isa::kNeon:
      return AttendWatched<N_NEON::plain::Attend, N_NEON::plain::TimedAttend>;
    case Isa::kNeonDotprod:
      return AttendWatched<N_NEON::dotprod::Attend, N_NEON::dotprod::TimedAttend>;
    case Isa::kNeonI8mm:
      return AttendWatched<N_NEON::i8mm::Attend, N_NEON::i8mm::TimedAttend>;
#endif
    default:
      return AttendWatched<scalar::Attend, nullptr>;
  }
}

}  // namespace

Kernels WatchedKernels(const Kernels& kernels) {
  Kernels watched = kernels;
  watched.attend = WatchedAttend(kernels.isa);
  return watched;
}

void WatchAttention(ThreadPool& pool, std::span<const AttentionMeter> meters) {
  pool.Run([&](int thread) { meter = meters.empty() ? AttentionMeter{} : meters[thread]; });
}

}  // namespace bitfetch
