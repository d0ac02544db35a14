// SPDX-License-Identifier: Apache-2.0
// Norms, quantisation of activations, RoPE, gates, for each ISA.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/scalar.h"
#include "kernels/simd.h"
#include "kernels/vec16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

// How many of n elements go sixteen at a time; the plain kernels do the rest.
HWY_INLINE int64_t Whole16(int64_t n) { return n / 16 * 16; }

void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  const int64_t whole = Whole16(n);
  Vec16 squares = Set16(0.0f);
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec16 v = Load16(x + i);
    squares = MulAdd16(v, v, squares);
  }
  float sums[kPartialSums];
  Store16(squares, sums);
  for (int64_t i = whole; i < n; ++i) sums[i - whole] = std::fma(x[i], x[i], sums[i - whole]);
  const float factor = 1.0f / std::sqrt(scalar::FoldSums(sums) / static_cast<float>(n) + epsilon);
  for (int64_t i = 0; i < whole; i += 16) {
    Store16(Mul16(Mul16(Load16(x + i), Set16(factor)), Load16(weight + i)), out + i);
  }
  for (int64_t i = whole; i < n; ++i) out[i] = x[i] * factor * weight[i];
}

void Quantize(const float* x, int64_t n, int64_t stride, int8_t* values, int32_t* sum,
              float* scale) {
  const int64_t whole = Whole16(n);
  const Floats floats;
  const Ints ints;
  Vec16 largest = Set16(1e-5f);
  for (int64_t i = 0; i < whole; i += 16) {
    largest = Greater16(
        Make([&](int v) HWY_ATTR { return hn::Abs(hn::LoadU(floats, x + i + v * kLanes)); }),
        largest);
  }
  float max = MaxLane16(largest);
  for (int64_t i = whole; i < n; ++i) max = std::max(max, std::fabs(x[i]));
  const float factor = 127.0f / max;

  const hn::Rebind<int8_t, Floats> bytes;
  const auto lowest = hn::Set(floats, -128.0f);
  const auto highest = hn::Set(floats, 127.0f);
  auto total = hn::Zero(ints);
  for (int64_t i = 0; i < whole; i += kLanes) {
    const auto rounded = hn::Round(hn::Mul(hn::LoadU(floats, x + i), hn::Set(floats, factor)));
    // Clamped as floats: what a NaN converts to differs between ISAs.
    const auto low = hn::IfThenElse(hn::Gt(rounded, lowest), rounded, lowest);
    const auto clamped = hn::ConvertTo(ints, hn::IfThenElse(hn::Lt(low, highest), low, highest));
    total = hn::Add(total, clamped);
    hn::StoreU(hn::DemoteTo(bytes, clamped), bytes, values + i);
  }
  *sum = hn::GetLane(hn::SumOfLanes(ints, total));
  for (int64_t i = whole; i < n; ++i) {
    const float rounded = std::nearbyint(x[i] * factor);
    const float low = rounded > -128.0f ? rounded : -128.0f;
    values[i] = static_cast<int8_t>(low < 127.0f ? low : 127.0f);
    *sum += values[i];
  }
  std::fill(values + n, values + stride, int8_t{0});
  *scale = max / 127.0f;
}

void QuantizeGroups(const float* x, int64_t n, int8_t* values, float* scales, int32_t* offsets) {
  const Floats floats;
  const Ints ints;
  const hn::Rebind<int8_t, Floats> bytes;
  const auto lowest = hn::Set(floats, -127.0f);
  const auto highest = hn::Set(floats, 127.0f);
  for (int64_t group = 0; group < n / kQuantizedGroup; ++group) {
    auto largest = hn::Zero(floats);
    for (int i = 0; i < kQuantizedGroup; i += kLanes) {
      largest = GreaterVector(hn::Abs(hn::LoadU(floats, x + i)), largest);
    }
    const float max = hn::GetLane(hn::MaxOfLanes(floats, largest));
    const bool is_zero = max < kMinQuantized;
    const auto factor = hn::Set(floats, is_zero ? 0.0f : 127.0f / max);
    auto total = hn::Zero(ints);
    for (int i = 0; i < kQuantizedGroup; i += kLanes) {
      const auto rounded = hn::Round(hn::Mul(hn::LoadU(floats, x + i), factor));
      const auto clamped = hn::ConvertTo(ints, LessVector(GreaterVector(rounded, lowest), highest));
      total = hn::Sub(total, clamped);
      hn::StoreU(hn::DemoteTo(bytes, clamped), bytes, values + i);
    }
    offsets[group] = hn::GetLane(hn::SumOfLanes(ints, total));
    scales[group] = is_zero ? 0.0f : max / 127.0f;
    x += kQuantizedGroup;
    values += kQuantizedGroup;
  }
}

void Rope(float* x, const float* cosines, const float* sines, int64_t pairs, int64_t step,
          int64_t apart) {
  if (step != 1) return scalar::Rope(x, cosines, sines, pairs, step, apart);
  const int64_t whole = Whole16(pairs);
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Floats floats;
    const auto a = hn::LoadU(floats, x + i);
    const auto b = hn::LoadU(floats, x + i + apart);
    const auto cosine = hn::LoadU(floats, cosines + i);
    const auto sine = hn::LoadU(floats, sines + i);
    hn::StoreU(hn::NegMulAdd(b, sine, hn::Mul(a, cosine)), floats, x + i);
    hn::StoreU(hn::MulAdd(b, cosine, hn::Mul(a, sine)), floats, x + i + apart);
  }
  scalar::Rope(x + whole, cosines + whole, sines + whole, pairs - whole, step, apart);
}

void Relu2Gate(const float* gate, const float* up, int64_t n, float* out) {
  const int64_t whole = Whole16(n);
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec16 positive = Greater16(Load16(gate + i), Set16(0.0f));
    Store16(Mul16(Mul16(positive, positive), Load16(up + i)), out + i);
  }
  scalar::Relu2Gate(gate + whole, up + whole, n - whole, out + whole);
}

// x / (1 + 2^exponent)
HWY_INLINE Vec16 Sigmoidal16(const Vec16& x, const Vec16& exponent) {
  const Vec16 divisor = Add16(Set16(1.0f), Exp2Vec16(exponent));
  return Make([&](int v) HWY_ATTR { return hn::Div(x.part[v], divisor.part[v]); });
}

void SiluGate(const float* gate, const float* up, int64_t n, float* out) {
  const int64_t whole = Whole16(n);
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec16 x = Load16(gate + i);
    const Vec16 silu = Sigmoidal16(x, Mul16(x, Set16(-kLog2E)));
    Store16(Mul16(silu, Load16(up + i)), out + i);
  }
  scalar::SiluGate(gate + whole, up + whole, n - whole, out + whole);
}

void GeluGate(const float* gate, const float* up, int64_t n, float* out) {
  const int64_t whole = Whole16(n);
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec16 x = Load16(gate + i);
    const Vec16 factor = MulAdd16(Mul16(x, x), Set16(kGeluCubic), Set16(kGeluLinear));
    Store16(Mul16(Sigmoidal16(x, Mul16(x, factor)), Load16(up + i)), out + i);
  }
  scalar::GeluGate(gate + whole, up + whole, n - whole, out + whole);
}

void Add(float* x, const float* y, int64_t n) {
  const int64_t whole = Whole16(n);
  for (int64_t i = 0; i < whole; i += 16) Store16(Add16(Load16(x + i), Load16(y + i)), x + i);
  scalar::Add(x + whole, y + whole, n - whole);
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
