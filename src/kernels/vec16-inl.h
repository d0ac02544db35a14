// SPDX-License-Identifier: Apache-2.0
// Sixteen floats side by side, as one, two or four vectors: what all float kernels compute in, so
// that no result depends on the width of a vector. Included once for each ISA, within its
// attributes.

#if defined(BITFETCH_KERNELS_VEC16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_VEC16_INL_H_
#undef BITFETCH_KERNELS_VEC16_INL_H_
#else
#define BITFETCH_KERNELS_VEC16_INL_H_
#endif

#include <cstdint>
#include <utility>  // for unroll-inl.h

#include "hwy/highway.h"
#include "kernels/exp2.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Ints = hn::RebindToSigned<Floats>;
using Vector = hn::Vec<Floats>;
constexpr int kLanes = HWY_MIN(16, HWY_LANES(float));
constexpr int kVectors = 16 / kLanes;

struct Vec16 {
  // Not defaulted: GCC makes an implicit constructor without the attributes of the ISA, and then
  // refuses to inline Highway's into it.
  HWY_INLINE Vec16() {}  // NOLINT(modernize-use-equals-default)
  Vector part[kVectors];
};

// A lambda's attributes: those of the ISA, and no call is left of it, where HWY_INLINE leaves none.
#undef BITFETCH_LAMBDA
#undef BITFETCH_LAMBDA_INLINE
#ifdef __OPTIMIZE__
#define BITFETCH_LAMBDA_INLINE __attribute__((always_inline))
#else
#define BITFETCH_LAMBDA_INLINE
#endif
#define BITFETCH_LAMBDA HWY_ATTR BITFETCH_LAMBDA_INLINE
#include "kernels/unroll-inl.h"

// The same pointer, of which the compiler knows nothing. Else GCC computes the address of each
// query of an unrolled loop once, before the loops around it, and keeps them all in memory.
template <class T>
HWY_INLINE T* Opaque(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// op(i) for the i-th vector.
template <class Op>
HWY_INLINE Vec16 Make(const Op& op) {
  Vec16 result;
  Unroll<kVectors>([&](auto i) BITFETCH_LAMBDA { result.part[i] = op(i); });
  return result;
}

HWY_INLINE Vec16 Load16(const float* from) {
  return Make([&](int i) BITFETCH_LAMBDA { return hn::LoadU(Floats(), from + i * kLanes); });
}
HWY_INLINE Vec16 Load16(const hwy::float16_t* from) {
  const hn::Rebind<hwy::float16_t, Floats> halves;
  return Make([&](int i) BITFETCH_LAMBDA {
    return hn::PromoteTo(Floats(), hn::LoadU(halves, from + i * kLanes));
  });
}
HWY_INLINE Vec16 Load16(const hwy::bfloat16_t* from) {
  const hn::Rebind<hwy::bfloat16_t, Floats> halves;
  return Make([&](int i) BITFETCH_LAMBDA {
    return hn::PromoteTo(Floats(), hn::LoadU(halves, from + i * kLanes));
  });
}
HWY_INLINE void Store16(const Vec16& x, float* to) {
  Unroll<kVectors>([&](auto i)
                       BITFETCH_LAMBDA { hn::StoreU(x.part[i], Floats(), to + i * kLanes); });
}
HWY_INLINE Vec16 Set16(float x) {
  return Make([&](int) BITFETCH_LAMBDA { return hn::Set(Floats(), x); });
}
HWY_INLINE Vec16 MulAdd16(const Vec16& a, const Vec16& b, const Vec16& c) {
  return Make([&](int i) BITFETCH_LAMBDA { return hn::MulAdd(a.part[i], b.part[i], c.part[i]); });
}
HWY_INLINE Vec16 Mul16(const Vec16& a, const Vec16& b) {
  return Make([&](int i) BITFETCH_LAMBDA { return hn::Mul(a.part[i], b.part[i]); });
}
HWY_INLINE Vec16 Add16(const Vec16& a, const Vec16& b) {
  return Make([&](int i) BITFETCH_LAMBDA { return hn::Add(a.part[i], b.part[i]); });
}
HWY_INLINE Vec16 Sub16(const Vec16& a, const Vec16& b) {
  return Make([&](int i) BITFETCH_LAMBDA { return hn::Sub(a.part[i], b.part[i]); });
}
// a where it is greater (less), b elsewhere and where either is a NaN: the same on every ISA. On
// x86 that is what the instruction does; others have maxima of their own.
HWY_INLINE Vector GreaterVector(Vector a, Vector b) {
#if HWY_ARCH_X86
  return hn::Max(a, b);
#else
  return hn::IfThenElse(hn::Gt(a, b), a, b);
#endif
}
HWY_INLINE Vector LessVector(Vector a, Vector b) {
#if HWY_ARCH_X86
  return hn::Min(a, b);
#else
  return hn::IfThenElse(hn::Lt(a, b), a, b);
#endif
}
HWY_INLINE Vec16 Greater16(const Vec16& a, const Vec16& b) {
  return Make([&](int i) BITFETCH_LAMBDA { return GreaterVector(a.part[i], b.part[i]); });
}
HWY_INLINE Vec16 Less16(const Vec16& a, const Vec16& b) {
  return Make([&](int i) BITFETCH_LAMBDA { return LessVector(a.part[i], b.part[i]); });
}
// x in its first `count` lanes, `other` in the rest.
HWY_INLINE Vec16 First16(int count, const Vec16& x, const Vec16& other) {
  return Make([&](int i) BITFETCH_LAMBDA {
    const int here = HWY_MIN(HWY_MAX(count - i * kLanes, 0), kLanes);
    return hn::IfThenElse(hn::FirstN(Floats(), here), x.part[i], other.part[i]);
  });
}
HWY_INLINE float MaxLane16(const Vec16& x) {
  Vector max = x.part[0];
  for (int i = 1; i < kVectors; ++i) max = hn::Max(max, x.part[i]);
  return hn::GetLane(hn::MaxOfLanes(Floats(), max));
}

// Exp2 in kernels/exp2.h, in fewer steps: adding kExp2Rounder rounds to a whole number in the low
// bits, and where no result is denormal, adding that to the exponent multiplies.
HWY_INLINE Vector Exp2Vector(Vector x) {
  const Floats floats;
  const Ints ints;
  const auto lowest = hn::Set(floats, kExp2Lowest);
  const auto highest = hn::Set(floats, kExp2Highest);
  const auto rounder = hn::Set(floats, kExp2Rounder);
  const auto in_range = hn::Gt(x, lowest);
  const auto clamped = LessVector(GreaterVector(x, lowest), highest);
  const auto rounded = hn::Add(clamped, rounder);
  const auto f = hn::Sub(clamped, hn::Sub(rounded, rounder));
  auto p = hn::Set(floats, kExp2Coefficients[5]);
  for (int i = 4; i >= 0; --i) p = hn::MulAdd(p, f, hn::Set(floats, kExp2Coefficients[i]));
  p = hn::MulAdd(p, f, hn::Set(floats, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(ints, rounded));
  const auto power = hn::BitCast(floats, hn::Add(hn::BitCast(ints, p), exponent));
  return hn::IfThenElseZero(in_range, power);
}
HWY_INLINE Vec16 Exp2Vec16(const Vec16& x) {
  return Make([&](int i) BITFETCH_LAMBDA { return Exp2Vector(x.part[i]); });
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_VEC16_INL_H_
