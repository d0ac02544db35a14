// SPDX-License-Identifier: Apache-2.0
// The output head, for each ISA: rows of floats times tokens, and how a row becomes codes of
// its screen.
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

// kRows rows and kTokens tokens at once: one of each would wait for its own additions, and convert
// the rows for each token anew.
template <int kRows, int kTokens, class Element>
HWY_INLINE void DenseTile(const Element* rows, int64_t cols, int64_t row,
                          const DenseToken* tokens) {
  const int64_t whole = cols / 16 * 16;
  Vec16 sums[kTokens][kRows];
  Unroll<kTokens * kRows>([&](auto i)
                              BITFETCH_LAMBDA { sums[i / kRows][i % kRows] = Set16(0.0f); });
  for (int64_t c = 0; c < whole; c += 16) {
    Vec16 weights[kRows];
    Unroll<kRows>([&](auto r) BITFETCH_LAMBDA { weights[r] = Load16(rows + r * cols + c); });
    Unroll<kTokens>([&](auto t) BITFETCH_LAMBDA {
      const Vec16 input = Load16(tokens[t].x + c);
      Unroll<kRows>([&](auto r)
                        BITFETCH_LAMBDA { sums[t][r] = MulAdd16(weights[r], input, sums[t][r]); });
    });
  }
  for (int t = 0; t < kTokens; ++t) {
    for (int r = 0; r < kRows; ++r) {
      float lanes[kPartialSums];
      Store16(sums[t][r], lanes);
      for (int64_t c = whole; c < cols; ++c) {
        lanes[c - whole] = std::fma(ToFloat(rows[r * cols + c]), tokens[t].x[c], lanes[c - whole]);
      }
      tokens[t].out[row + r] = scalar::FoldSums(lanes);
    }
  }
}

template <int kRows, int kTokens, class Element>
HWY_INLINE void DenseTiles(const Element* values, int64_t cols, int64_t row,
                           const DenseToken* tokens, int64_t count) {
  const Element* rows = values + row * cols;
  int64_t t = 0;
  for (; t + kTokens <= count; t += kTokens) {
    DenseTile<kRows, kTokens>(rows, cols, row, tokens + t);
  }
  if constexpr (kTokens > 1) {
    for (; t < count; ++t) DenseTile<kRows, 1>(rows, cols, row, tokens + t);
  }
}

template <class Element>
void DenseElements(const DenseMatrix& w, int64_t begin, int64_t end, const DenseToken* tokens,
                   int64_t count) {
  // As many sums as fit in the registers beside the rows.
  constexpr int kRows = kVectors == 1 ? 4 : 1;
  constexpr int kTokens = 4;
  const auto* values = static_cast<const Element*>(w.values);
  int64_t r = begin;
  if (count >= kTokens) {
    for (; r + kRows <= end; r += kRows) {
      DenseTiles<kRows, kTokens>(values, w.cols, r, tokens, count);
    }
  }
  for (; r + 4 <= end; r += 4) DenseTiles<4, 1>(values, w.cols, r, tokens, count);
  for (; r < end; ++r) DenseTiles<1, 1>(values, w.cols, r, tokens, count);
}

void DenseMatmul(const DenseMatrix& w, int64_t begin, int64_t end, const DenseToken* tokens,
                 int64_t count) {
  switch (w.type) {
    case DenseType::kF32:
      return DenseElements<float>(w, begin, end, tokens, count);
    case DenseType::kF16:
      return DenseElements<hwy::float16_t>(w, begin, end, tokens, count);
    case DenseType::kBF16:
      return DenseElements<hwy::bfloat16_t>(w, begin, end, tokens, count);
  }
}

template <class Element>
void ScreenElements(const Element* row, int64_t cols, uint8_t* codes, ScreenFit* fit) {
  const hn::Rebind<uint8_t, Floats> bytes;
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

  const float factor = max >= kMinQuantized ? kScreenRange / max : 0.0f;
  const auto floor = [](const Vec16& x) BITFETCH_LAMBDA {
    return Make([&](int i) BITFETCH_LAMBDA { return hn::Floor(x.part[i]); });
  };
  Vec16 squares[kScreenLevelCount];
  Unroll<kScreenLevelCount>([&](auto level) BITFETCH_LAMBDA { squares[level] = Set16(0.0f); });
  for (int64_t c = 0; c < whole; c += 16) {
    const Vec16 scaled = Mul16(Load16(row + c), Set16(factor));
    const Vec16 shifted = Add16(floor(scaled), Set16(kScreenRange));
    const Vec16 code = Less16(Greater16(shifted, Set16(0.0f)), Set16(255.0f));
    Unroll<kScreenLevelCount>([&](auto level) BITFETCH_LAMBDA {
      constexpr auto kUnit = static_cast<float>(kScreenLevels[level].unit);
      const Vec16 known = Mul16(floor(Mul16(code, Set16(1 / kUnit))), Set16(kUnit));
      const Vec16 error = Sub16(scaled, Sub16(known, Set16(kScreenLevels[level].offset)));
      squares[level] = MulAdd16(error, error, squares[level]);
    });
    for (int i = 0; i < kVectors; ++i) {
      const auto whole_numbers = hn::ConvertTo(Ints(), code.part[i]);
      hn::StoreU(hn::DemoteTo(bytes, whole_numbers), bytes, codes + c + i * kLanes);
    }
  }
  float lanes[kScreenLevelCount][kPartialSums];
  for (int level = 0; level < kScreenLevelCount; ++level) Store16(squares[level], lanes[level]);
  for (int64_t c = whole; c < cols; ++c) {
    const auto [code, errors] = scalar::ScreenElementOf(ToFloat(row[c]) * factor);
    codes[c] = static_cast<uint8_t>(code);
    for (int level = 0; level < kScreenLevelCount; ++level) {
      lanes[level][c - whole] = std::fma(errors[level], errors[level], lanes[level][c - whole]);
    }
  }
  fit->max = max;
  for (int level = 0; level < kScreenLevelCount; ++level) {
    fit->error_squares[level] = scalar::FoldSums(lanes[level]);
  }
}

void ScreenRow(const DenseMatrix& w, int64_t row, uint8_t* codes, ScreenFit* fit) {
  const int64_t first = row * w.cols;
  switch (w.type) {
    case DenseType::kF32:
      return ScreenElements(static_cast<const float*>(w.values) + first, w.cols, codes, fit);
    case DenseType::kF16:
      return ScreenElements(static_cast<const hwy::float16_t*>(w.values) + first, w.cols, codes,
                            fit);
    case DenseType::kBF16:
      return ScreenElements(static_cast<const hwy::bfloat16_t*>(w.values) + first, w.cols, codes,
                            fit);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
