// SPDX-License-Identifier: Apache-2.0
#include "convert/synth_values.h"

#include <algorithm>
#include <cstring>

#include "base/float16.h"
#include "model/ternary_codes.h"
#include "model/ternary_groups.h"

namespace bitfetch {
namespace {

// A random number between 1/64 and 1/4 in size, of either sign, as f16.
uint16_t RandomHalf(uint16_t bits) {
  constexpr int kExponentBias = 15;
  const int exponent = kExponentBias - 6 + (bits >> 10 & 3);
  return static_cast<uint16_t>((bits & 0x83ff) | exponent << 10);
}

template <class T>
void Fill(T value, std::span<std::byte> out) {
  for (size_t i = 0; i < out.size(); i += sizeof value) {
    std::memcpy(out.data() + i, &value, sizeof value);
  }
}

template <class T, class FromHalf>
void FillRandom(Random& random, std::span<std::byte> out, FromHalf from_half) {
  for (size_t done = 0; done < out.size();) {
    uint64_t bits = random.Next();
    for (int i = 0; i < 4 && done < out.size(); ++i, bits >>= 16, done += sizeof(T)) {
      const T value = from_half(RandomHalf(static_cast<uint16_t>(bits)));
      std::memcpy(out.data() + done, &value, sizeof value);
    }
  }
}

}  // namespace

TernaryPacks::TernaryPacks(TensorType type, Random& random)
    : type_(type),
      pack_bytes_(PackBytes(type) * kCodes / PackElements(type)),
      bytes_(kCount * pack_bytes_) {
  for (size_t pack = 0; pack < kCount; ++pack) {
    for (uint8_t& code : codes_[pack]) code = static_cast<uint8_t>(random.Next() % 3);
  }
}

void TernaryPacks::SetScale(uint16_t scale) {
  if (scale == scale_) return;
  scale_ = scale;
  for (size_t pack = 0; pack < kCount; ++pack) {
    std::byte* out = bytes_.data() + pack * pack_bytes_;
    switch (type_) {
      case TensorType::kTQ1_0:
        PackTQ1_0(codes_[pack], scale, out);
        break;
      case TensorType::kTQ2_0:
        PackTQ2_0(codes_[pack], scale, out);
        break;
      case TensorType::kI2_S:
        PackI2S(codes_[pack], out);
        break;
      default:
        for (int64_t i = 0; i < kCodes; i += PackElements(type_), out += PackBytes(type_)) {
          PackQ2_0(std::span(codes_[pack]).subspan(i, PackElements(type_)), scale, out);
        }
    }
  }
}

void TernaryPacks::FillRandom(Random& random, std::span<std::byte> out) const {
  for (size_t done = 0; done < out.size(); done += pack_bytes_) {
    const std::byte* pack = bytes_.data() + random.Next() % kCount * pack_bytes_;
    std::memcpy(out.data() + done, pack, std::min(pack_bytes_, out.size() - done));
  }
}

void FillRandomFloats(TensorType type, Random& random, std::span<std::byte> out) {
  switch (type) {
    case TensorType::kF32:
      return FillRandom<float>(random, out, F16ToF32);
    case TensorType::kBF16:
      return FillRandom<uint16_t>(random, out, [](uint16_t h) { return F32ToBF16(F16ToF32(h)); });
    default:
      return FillRandom<uint16_t>(random, out, [](uint16_t h) { return h; });
  }
}

void FillOnes(TensorType type, std::span<std::byte> out) {
  if (type == TensorType::kF32) return Fill(1.0f, out);
  Fill(F32ToF16(1.0f), out);
}

}  // namespace bitfetch
