// SPDX-License-Identifier: Apache-2.0
// The output head: rows of floats times one token. Included once for each ISA.

#if defined(BITFETCH_KERNELS_DENSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_DENSE_INL_H_
#undef BITFETCH_KERNELS_DENSE_INL_H_
#else
#define BITFETCH_KERNELS_DENSE_INL_H_
#endif

#include <cmath>
#include <cstdint>

#include "base/float16.h"
#include "kernels/scalar.h"
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

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_DENSE_INL_H_
