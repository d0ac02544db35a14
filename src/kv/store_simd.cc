// SPDX-License-Identifier: Apache-2.0
// The store, for each ISA.
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "kv/quantize.h"
#include "kv/store_isa.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kv/store_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Ints = hn::RebindToSigned<Floats>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Floats()));

constexpr int32_t kMagnitude = 0x7fffffff;
constexpr int32_t kInfinity = 0x7f800000;

// --- floats: 16 neighbouring dims as they are stored, with the bits of base/float16.h

HWY_INLINE void Convert16(const float* from, float* to) {
  for (int i = 0; i < 16; i += kLanes) hn::StoreU(hn::LoadU(Floats(), from + i), Floats(), to + i);
}

HWY_INLINE void Convert16(const float* from, hwy::float16_t* to) {
  const Ints ints;
  const hn::Rebind<hwy::float16_t, Floats> halves;
  for (int i = 0; i < 16; i += kLanes) {
    const auto bits = hn::BitCast(ints, hn::LoadU(Floats(), from + i));
    const auto magnitude = hn::And(bits, hn::Set(ints, kMagnitude));
    const auto max = hn::Set(ints, std::bit_cast<int32_t>(65504.0f));
    const auto quiet_nan = hn::Set(ints, 0x7fc00000);
    const auto kept = hn::IfThenElse(hn::Gt(magnitude, hn::Set(ints, kInfinity)), quiet_nan,
                                     hn::Min(magnitude, max));
    const auto with_sign = hn::Or(kept, hn::AndNot(hn::Set(ints, kMagnitude), bits));
    hn::StoreU(hn::DemoteTo(halves, hn::BitCast(Floats(), with_sign)), halves, to + i);
  }
}

HWY_INLINE void Convert16(const float* from, hwy::bfloat16_t* to) {
  const Ints ints;
  const hn::Rebind<uint16_t, Ints> words;
  for (int i = 0; i < 16; i += kLanes) {
    const auto bits = hn::BitCast(ints, hn::LoadU(Floats(), from + i));
    const auto magnitude = hn::And(bits, hn::Set(ints, kMagnitude));
    const auto upper = hn::ShiftRight<16>(magnitude);
    const auto half_to_even = hn::Add(hn::Set(ints, 0x7fff), hn::And(upper, hn::Set(ints, 1)));
    // A NaN may overflow here, and is not used then.
    const auto rounded = hn::ShiftRight<16>(hn::Add(magnitude, half_to_even));
    const auto kept = hn::IfThenElse(hn::Gt(magnitude, hn::Set(ints, kInfinity)),
                                     hn::Or(upper, hn::Set(ints, 0x0040)),
                                     hn::Min(rounded, hn::Set(ints, 0x7f7f)));
    const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(ints, 0x8000));
    hn::StoreU(hn::DemoteTo(words, hn::Or(kept, sign)), words, reinterpret_cast<uint16_t*>(to + i));
  }
}

template <class Element>
HWY_INLINE void StoreKey(const float* key, int head_dim, int slot, std::byte* tile) {
  auto* to = reinterpret_cast<Element*>(tile) + slot;
  for (int d = 0; d < head_dim; d += 16) {
    alignas(64) Element row[16];
    Convert16(key + d, row);
    for (int i = 0; i < 16; ++i) to[(d + i) * kTileTokens] = row[i];
  }
}

template <class Element>
HWY_INLINE void StoreValue(const float* value, int head_dim, int slot, std::byte* tile) {
  auto* to = reinterpret_cast<Element*>(tile) + slot * 16;
  for (int d = 0; d < head_dim; d += 16) Convert16(value + d, to + d * kTileTokens);
}

// --- codes

using Codes = std::array<int32_t, kQuantizedDims>;

// For groups that need care.
HWY_NOINLINE uint16_t QuantizeGroupSlowly(bool q8, const float* x, Codes& codes) {
  uint8_t bytes[kQuantizedDims];
  const uint16_t scale = q8 ? QuantizeQ8(x, bytes) : QuantizeQ4(x, bytes);
  for (int i = 0; i < kQuantizedDims; ++i) {
    codes[i] = q8 ? static_cast<int8_t>(bytes[i]) : bytes[i];
  }
  return scale;
}

HWY_INLINE float AbsMax(const float* x) {
  const Ints ints;
  auto largest = hn::Zero(ints);
  for (int i = 0; i < kQuantizedDims; i += kLanes) {
    const auto bits = hn::BitCast(ints, hn::LoadU(Floats(), x + i));
    largest = hn::Max(largest, hn::And(bits, hn::Set(ints, kMagnitude)));
  }
  return std::bit_cast<float>(hn::GetLane(hn::MaxOfLanes(ints, largest)));
}

HWY_INLINE bool Contains(const float* x, float wanted) {
  const Floats floats;
  auto found = hn::Eq(hn::LoadU(floats, x), hn::Set(floats, wanted));
  for (int i = kLanes; i < kQuantizedDims; i += kLanes) {
    found = hn::Or(found, hn::Eq(hn::LoadU(floats, x + i), hn::Set(floats, wanted)));
  }
  return !hn::AllFalse(floats, found);
}

// kQuantizedDims values to codes; returns the scale. Of values, infinities and NaN have the largest
// magnitudes as integers.
template <bool kQ8>
HWY_INLINE uint16_t QuantizeGroup(const float* x, Codes& codes) {
  const Floats floats;
  const Ints ints;
  const float absmax = AbsMax(x);
  if (HWY_UNLIKELY(std::bit_cast<int32_t>(absmax) >= kInfinity)) {
    return QuantizeGroupSlowly(kQ8, x, codes);
  }
  QuantizedScale scale;
  if constexpr (kQ8) {
    scale = Q8Scale(absmax);
  } else {
    const bool positive = Contains(x, absmax);
    // Where both signs have it, the first one counts.
    if (HWY_UNLIKELY(positive == Contains(x, -absmax))) {
      return QuantizeGroupSlowly(kQ8, x, codes);
    }
    scale = Q4Scale(positive ? absmax : -absmax);
  }
  const auto inverse = hn::Set(floats, scale.inverse);
  for (int i = 0; i < kQuantizedDims; i += kLanes) {
    const auto scaled = hn::Mul(hn::LoadU(floats, x + i), inverse);
    if constexpr (kQ8) {
      // The largest float below a half: with a half, what is just below one would round up.
      const auto half = hn::CopySign(hn::Set(floats, 0.49999997f), scaled);
      hn::StoreU(hn::ConvertTo(ints, hn::Add(scaled, half)), ints, codes.data() + i);
    } else {
      const auto code = hn::Min(hn::Add(scaled, hn::Set(floats, 8.5f)), hn::Set(floats, 15.0f));
      hn::StoreU(hn::ConvertTo(ints, code), ints, codes.data() + i);
    }
  }
  return scale.f16;
}

// Four dims side by side in each line.
template <bool kQ8>
HWY_INLINE void StoreKeyCodes(const Codes& codes, int slot, std::byte* lines) {
  const hn::Rebind<int8_t, Ints> bytes;
  alignas(64) int8_t packed[kQuantizedDims];
  for (int i = 0; i < kQuantizedDims; i += kLanes) {
    hn::StoreU(hn::DemoteTo(bytes, hn::LoadU(Ints(), codes.data() + i)), bytes, packed + i);
  }
  uint32_t quads[kQuantizedDims / 4];
  std::memcpy(quads, packed, sizeof(quads));
  for (int i = 0; i < kQuantizedDims / 4; ++i) {
    uint32_t quad = quads[i];
    if constexpr (!kQ8) quad |= quads[++i] << 4;
    std::memcpy(lines + slot * sizeof(quad), &quad, sizeof(quad));
    lines += kCacheLineBytes;
  }
}

// Sixteen dims make a line, in which a token has some bits of every four bytes.
HWY_INLINE void StoreBits(const int32_t* codes, int shift, int32_t mask, std::byte* line) {
  const Ints ints;
  auto* to = reinterpret_cast<int32_t*>(line);
  const auto others = hn::Set(ints, ~static_cast<int32_t>(static_cast<uint32_t>(mask) << shift));
  for (int i = 0; i < 16; i += kLanes) {
    const auto code = hn::And(hn::LoadU(ints, codes + i), hn::Set(ints, mask));
    const auto kept = hn::And(hn::LoadU(ints, to + i), others);
    hn::StoreU(hn::Or(kept, hn::ShiftLeftSame(code, shift)), ints, to + i);
  }
}

template <bool kQ8, bool kIsKey>
HWY_INLINE void StoreHeadCodes(const float* x, int head_dim, int slot, std::byte* tile) {
  constexpr size_t kGroupBytes = size_t{kQuantizedDims} * kTileTokens / (kQ8 ? 1 : 2);
  constexpr int kPackedTokens = kQ8 ? 4 : 8;  // in a line of values
  auto* scales = reinterpret_cast<uint16_t*>(tile);
  std::byte* lines = tile + KvScalesBytes(kQ8 ? KvType::kQ8_0 : KvType::kQ4_0, head_dim);
  for (int d = 0; d < head_dim; d += kQuantizedDims) {
    Codes codes;
    scales[d / kQuantizedDims * kTileTokens + slot] = QuantizeGroup<kQ8>(x + d, codes);
    if constexpr (kIsKey) {
      StoreKeyCodes<kQ8>(codes, slot, lines);
    } else {
      std::byte* line = lines + slot / kPackedTokens * kCacheLineBytes;
      const int shift = slot % 4 * 8 + (kQ8 ? 0 : slot / 4 % 2 * 4);
      const int32_t mask = kQ8 ? 0xff : 0x0f;
      StoreBits(codes.data(), shift, mask, line);
      StoreBits(codes.data() + 16, shift, mask, line + kGroupBytes / 2);
    }
    lines += kGroupBytes;
  }
}

void StoreHeadKey(KvType type, const float* key, int head_dim, int slot, std::byte* tile) {
  switch (type) {
    case KvType::kF32:
      return StoreKey<float>(key, head_dim, slot, tile);
    case KvType::kF16:
      return StoreKey<hwy::float16_t>(key, head_dim, slot, tile);
    case KvType::kBF16:
      return StoreKey<hwy::bfloat16_t>(key, head_dim, slot, tile);
    case KvType::kQ8_0:
      return StoreHeadCodes<true, true>(key, head_dim, slot, tile);
    case KvType::kQ4_0:
      return StoreHeadCodes<false, true>(key, head_dim, slot, tile);
  }
}

void StoreHeadValue(KvType type, const float* value, int head_dim, int slot, std::byte* tile) {
  switch (type) {
    case KvType::kF32:
      return StoreValue<float>(value, head_dim, slot, tile);
    case KvType::kF16:
      return StoreValue<hwy::float16_t>(value, head_dim, slot, tile);
    case KvType::kBF16:
      return StoreValue<hwy::bfloat16_t>(value, head_dim, slot, tile);
    case KvType::kQ8_0:
      return StoreHeadCodes<true, false>(value, head_dim, slot, tile);
    case KvType::kQ4_0:
      return StoreHeadCodes<false, false>(value, head_dim, slot, tile);
  }
}

}  // namespace

void StoreToken(const KvLayout& layout, int slot, const float* k, const float* v,
                std::byte* block) {
  for (int head = 0; head < layout.kv_heads; ++head) {
    const int64_t first = int64_t{head} * layout.head_dim;
    StoreHeadKey(layout.types.k, k + first, layout.head_dim, slot, block);
    StoreHeadValue(layout.types.v, v + first, layout.head_dim, slot, block + layout.k_tile_bytes());
    block += layout.head_bytes();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // SIMD target
