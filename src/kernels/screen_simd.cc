// SPDX-License-Identifier: Apache-2.0
// Rows of an output head's int8 copy times tokens, for each ISA. Exact.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/screen_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include <cstdint>

#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Row after row: memory then sees one stream, which the hardware prefetcher follows twice as fast
// as four rows side by side. What is widened of a row serves kTokens tokens.
template <int kTokens>
void ScreenTokens(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens) {
  const hn::CappedTag<int16_t, 32> shorts;
  const hn::Rebind<int8_t, decltype(shorts)> bytes;
  const hn::RepartitionToWide<decltype(shorts)> ints;
  using Sum = hn::Vec<decltype(ints)>;
  constexpr int64_t kStep = HWY_MIN(32, HWY_LANES(int16_t));
  // One token alone would wait for its own additions.
  constexpr int kSums = kTokens == 1 ? kScreenPack / kStep : 1;
  for (int64_t r = begin; r < end; ++r) {
    const int8_t* row = w.values + r * w.stride;
    // Two for each: NEON adds the halves of a vector apart, the others use only the first.
    Sum low[kTokens][kSums];
    Sum high[kTokens][kSums];
    for (int t = 0; t < kTokens; ++t) {
      for (int i = 0; i < kSums; ++i) low[t][i] = high[t][i] = hn::Zero(ints);
    }
    for (int64_t c = 0; c < w.stride; c += kSums * kStep) {
      for (int i = 0; i < kSums; ++i) {
        const auto values = hn::PromoteTo(shorts, hn::LoadU(bytes, row + c + i * kStep));
        for (int t = 0; t < kTokens; ++t) {
          const auto input = hn::LoadU(shorts, tokens[t].x + c + i * kStep);
          low[t][i] = hn::ReorderWidenMulAccumulate(ints, values, input, low[t][i], high[t][i]);
        }
      }
    }
    for (int t = 0; t < kTokens; ++t) {
      Sum sum = hn::Zero(ints);
      for (int i = 0; i < kSums; ++i) sum = hn::Add(sum, hn::Add(low[t][i], high[t][i]));
      tokens[t].out[r - begin] = hn::GetLane(hn::SumOfLanes(ints, sum));
    }
  }
}

void Screen(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,
            int64_t count) {
  for (; count >= 4; count -= 4, tokens += 4) ScreenTokens<4>(w, begin, end, tokens);
  switch (count) {
    case 3:
      return ScreenTokens<3>(w, begin, end, tokens);
    case 2:
      return ScreenTokens<2>(w, begin, end, tokens);
    case 1:
      return ScreenTokens<1>(w, begin, end, tokens);
    default:
      return;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
