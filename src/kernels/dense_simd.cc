// SPDX-License-Identifier: Apache-2.0
// The output head, for each ISA: rows of floats times one token, and their int8 copy: making a row,
// and rows times one token.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/float16.h"
#include "kernels/scalar.h"
#include "kernels/simd.h"
#include "kernels/vec16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

HWY_INLINE float ToFloat(float x) { return x; }
HWY_INLINE float ToFloat(hwy::float16_t x) {
  uint16_t bits;
  hwy::CopySameSize(&x, &bits);
  return F16ToF32(bits);
}
HWY_INLINE float ToFloat(hwy::bfloat16_t x) {
  uint16_t bits;
  hwy::CopySameSize(&x, &bits);
  return BF16ToF32(bits);
}

// kRows rows at once: one alone would wait for its own additions.
template <int kRows, class Element>
HWY_INLINE void DenseRows(const Element* rows, int64_t cols, const float* x, float* out) {
  const int64_t whole = cols / 16 * 16;
  Vec16 sums[kRows];
  for (int r = 0; r < kRows; ++r) sums[r] = Set16(0.0f);
  for (int64_t c = 0; c < whole; c += 16) {
    const Vec16 input = Load16(x + c);
    for (int r = 0; r < kRows; ++r) sums[r] = MulAdd16(Load16(rows + r * cols + c), input, sums[r]);
  }
  for (int r = 0; r < kRows; ++r) {
    float lanes[kPartialSums];
    Store16(sums[r], lanes);
    for (int64_t c = whole; c < cols; ++c) {
      lanes[c - whole] = std::fma(ToFloat(rows[r * cols + c]), x[c], lanes[c - whole]);
    }
    out[r] = scalar::FoldSums(lanes);
  }
}

template <class Element>
void DenseElements(const DenseMatrix& w, int64_t begin, int64_t end, const float* x, float* out) {
  const auto* values = static_cast<const Element*>(w.values);
  int64_t r = begin;
  for (; r + 4 <= end; r += 4) DenseRows<4>(values + r * w.cols, w.cols, x, out + r);
  for (; r < end; ++r) DenseRows<1>(values + r * w.cols, w.cols, x, out + r);
}

void DenseMatvec(const DenseMatrix& w, int64_t begin, int64_t end, const float* x, float* out) {
  switch (w.type) {
    case DenseType::kF32:
      return DenseElements<float>(w, begin, end, x, out);
    case DenseType::kF16:
      return DenseElements<hwy::float16_t>(w, begin, end, x, out);
    case DenseType::kBF16:
      return DenseElements<hwy::bfloat16_t>(w, begin, end, x, out);
  }
}

template <class Element>
void ScreenElements(const Element* row, int64_t cols, int64_t stride, int8_t* values,
                    ScreenFit* fit) {
  const hn::Rebind<int8_t, Floats> bytes;
  const int64_t whole = cols / 16 * 16;
  Vec16 largest = Set16(0.0f);
  for (int64_t c = 0; c < whole; c += 16) {
    const Vec16 w = Load16(row + c);
    largest = Greater16(Make([&](int i) HWY_ATTR { return hn::Abs(w.part[i]); }), largest);
  }
  float max = MaxLane16(largest);
  for (int64_t c = whole; c < cols; ++c) {
    const float size = std::fabs(ToFloat(row[c]));
    max = size > max ? size : max;
  }

  const float factor = max >= kMinQuantized ? 127.0f / max : 0.0f;
  const Vec16 factors = Set16(factor);
  const Vec16 lowest = Set16(-127.0f);
  const Vec16 highest = Set16(127.0f);
  Vec16 squares = Set16(0.0f);
  Vec16 errors = Set16(0.0f);
  for (int64_t c = 0; c < whole; c += 16) {
    const Vec16 scaled = Mul16(Load16(row + c), factors);
    const Vec16 rounded = Make([&](int i) HWY_ATTR { return hn::Round(scaled.part[i]); });
    const Vec16 q = Less16(Greater16(rounded, lowest), highest);
    const Vec16 error = Sub16(scaled, q);
    squares = MulAdd16(q, q, squares);
    errors = MulAdd16(error, error, errors);
    for (int i = 0; i < kVectors; ++i) {
      const auto whole_numbers = hn::ConvertTo(Ints(), q.part[i]);
      hn::StoreU(hn::DemoteTo(bytes, whole_numbers), bytes, values + c + i * kLanes);
    }
  }
  float square_lanes[kPartialSums];
  float error_lanes[kPartialSums];
  Store16(squares, square_lanes);
  Store16(errors, error_lanes);
  for (int64_t c = whole; c < cols; ++c) {
    const float scaled = ToFloat(row[c]) * factor;
    const float rounded = std::nearbyint(scaled);
    const float low = rounded > -127.0f ? rounded : -127.0f;
    const float q = low < 127.0f ? low : 127.0f;
    const float error = scaled - q;
    values[c] = static_cast<int8_t>(q);
    square_lanes[c - whole] = std::fma(q, q, square_lanes[c - whole]);
    error_lanes[c - whole] = std::fma(error, error, error_lanes[c - whole]);
  }
  std::fill(values + cols, values + stride, int8_t{0});
  *fit = {max, scalar::FoldSums(square_lanes), scalar::FoldSums(error_lanes)};
}

void ScreenRow(const DenseMatrix& w, int64_t row, int64_t stride, int8_t* values, ScreenFit* fit) {
  const int64_t first = row * w.cols;
  switch (w.type) {
    case DenseType::kF32:
      return ScreenElements(static_cast<const float*>(w.values) + first, w.cols, stride, values,
                            fit);
    case DenseType::kF16:
      return ScreenElements(static_cast<const hwy::float16_t*>(w.values) + first, w.cols, stride,
                            values, fit);
    case DenseType::kBF16:
      return ScreenElements(static_cast<const hwy::bfloat16_t*>(w.values) + first, w.cols, stride,
                            values, fit);
  }
}

// Row after row: memory then sees one stream, which the hardware prefetcher follows twice as fast
// as four rows side by side.
void Screen(const ScreenRows& w, int64_t begin, int64_t end, const int16_t* x, int32_t* out) {
  const hn::CappedTag<int16_t, 32> shorts;
  const hn::Rebind<int8_t, decltype(shorts)> bytes;
  const hn::RepartitionToWide<decltype(shorts)> ints;
  using Sum = hn::Vec<decltype(ints)>;
  constexpr int64_t kStep = HWY_MIN(32, HWY_LANES(int16_t));
  constexpr int kSums = kScreenPack / kStep;
  for (int64_t r = begin; r < end; ++r) {
    const int8_t* row = w.values + r * w.stride;
    // Two for each: NEON adds the halves of a vector apart, the others use only the first.
    Sum low[kSums];
    Sum high[kSums];
    for (int i = 0; i < kSums; ++i) low[i] = high[i] = hn::Zero(ints);
    for (int64_t c = 0; c < w.stride; c += kScreenPack) {
      for (int i = 0; i < kSums; ++i) {
        const auto values = hn::PromoteTo(shorts, hn::LoadU(bytes, row + c + i * kStep));
        const auto input = hn::LoadU(shorts, x + c + i * kStep);
        low[i] = hn::ReorderWidenMulAccumulate(ints, values, input, low[i], high[i]);
      }
    }
    Sum sum = hn::Zero(ints);
    for (int i = 0; i < kSums; ++i) sum = hn::Add(sum, hn::Add(low[i], high[i]));
    out[r - begin] = hn::GetLane(hn::SumOfLanes(ints, sum));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
