// SPDX-License-Identifier: Apache-2.0
// The walk of timed attention, for each ISA.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/timed_attention_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "bench/timed_attention.h"
#include "kernels/attention_walk-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

// Has a chunk's lines shown where the sampler says so.
class SamplerWatch {
 public:
  SamplerWatch(const ProductsByType& timed, TouchSampler& sampler)
      : timed_(timed), sampler_(sampler) {}
  HWY_INLINE const ProductsByType* Due(size_t chunk_bytes) {
    return sampler_.Due(chunk_bytes) ? &timed_ : nullptr;
  }

 private:
  const ProductsByType& timed_;
  TouchSampler& sampler_;
};

void TimedAttendWith(const ProductsByType& products, const ProductsByType& timed,
                     const AttendJob& job, TouchSampler& sampler) {
  shown_to = &sampler;
  Walk<SamplerWatch>(job, products, {timed, sampler}).Run();
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
