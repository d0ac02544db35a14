// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_TIMED_ATTENTION_H_
#define BITFETCH_BENCH_TIMED_ATTENTION_H_

#include "bench/touch_sampler.h"
#include "kernels/simd.h"

// Attention that shows lines to a sampler: what the timed_attention_*.cc define, beside simd.h.
namespace bitfetch {

// Of this thread, while it is in a TimedAttend.
inline constinit thread_local TouchSampler* shown_to = nullptr;

#define BITFETCH_DECLARE_TIMED_TARGET                                               \
  extern const TileProducts kF32Timed;                                              \
  extern const TileProducts kF16Timed;                                              \
  extern const TileProducts kBF16Timed;                                             \
  void TimedAttendWith(const ProductsByType& products, const ProductsByType& timed, \
                       const AttendJob& job, TouchSampler& sampler);
#define BITFETCH_DECLARE_TIMED_DOT(dot)                                                  \
  namespace dot {                                                                        \
  extern const TileProducts kQ8_0Timed;                                                  \
  extern const TileProducts kQ4_0Timed;                                                  \
  inline void TimedAttend(const AttendJob& job, TouchSampler& sampler) {                 \
    constexpr ProductsByType kTimed = {&kF32Timed, &kF16Timed, &kBF16Timed, &kQ8_0Timed, \
                                       &kQ4_0Timed};                                     \
    TimedAttendWith(kProducts, kTimed, job, sampler);                                    \
  }                                                                                      \
  }

#if defined(__x86_64__)
namespace N_AVX2 {
BITFETCH_DECLARE_TIMED_TARGET
BITFETCH_DECLARE_TIMED_DOT(plain)
}  // namespace N_AVX2
namespace N_AVX3 {
BITFETCH_DECLARE_TIMED_TARGET
BITFETCH_DECLARE_TIMED_DOT(plain)
BITFETCH_DECLARE_TIMED_DOT(vnni)
}  // namespace N_AVX3
#elif defined(__aarch64__)
namespace N_NEON {
BITFETCH_DECLARE_TIMED_TARGET
BITFETCH_DECLARE_TIMED_DOT(plain)
BITFETCH_DECLARE_TIMED_DOT(dotprod)
BITFETCH_DECLARE_TIMED_DOT(i8mm)
}  // namespace N_NEON
#endif
#undef BITFETCH_DECLARE_TIMED_TARGET
#undef BITFETCH_DECLARE_TIMED_DOT

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_TIMED_ATTENTION_H_
