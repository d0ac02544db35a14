// SPDX-License-Identifier: Apache-2.0
#include "model/dequantize.h"

#include <cstring>

#include "base/float16.h"

namespace bitfetch {
namespace {

float LoadF16(const uint8_t* at) {
  uint16_t half;
  std::memcpy(&half, at, sizeof half);
  return F16ToF32(half);
}

// A float16 scale, then 32 signed bytes.
void DequantizeQ8_0(const uint8_t* pack, float* out) {
  const float scale = LoadF16(pack);
  const int8_t* q = reinterpret_cast<const int8_t*>(pack + 2);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(q[i]) * scale;
}

// 256 elements in 8 parts of 32: x = scale * part_scale * q - min * part_min.
//   [2] scale, float16   [2] min, float16
//   [12] part scales and minima, 6 bits each: those of parts 0..3 in the low 6 bits of bytes 0..3
//        and 4..7; of parts 4..7 the low 4 bits in the halves of bytes 8..11, the high 2 bits on
//        top of bytes 0..3 and 4..7
//   [128] q, 4 bits each: 32 bytes hold one part in their low halves and the next in the high ones
void DequantizeQ4_K(const uint8_t* pack, float* out) {
  const float scale = LoadF16(pack);
  const float min = LoadF16(pack + 2);
  const uint8_t* packed = pack + 4;
  const uint8_t* q = pack + 16;
  for (int part = 0; part < 8; ++part) {
    int part_scale, part_min;
    if (part < 4) {
      part_scale = packed[part] & 63;
      part_min = packed[part + 4] & 63;
    } else {
      part_scale = (packed[part + 4] & 15) | (packed[part - 4] >> 6 << 4);
      part_min = (packed[part + 4] >> 4) | (packed[part] >> 6 << 4);
    }
    const float a = scale * static_cast<float>(part_scale);
    const float b = min * static_cast<float>(part_min);
    const uint8_t* bytes = q + part / 2 * 32;
    const int shift = part % 2 * 4;
    for (int i = 0; i < 32; ++i) {
      out[part * 32 + i] = a * static_cast<float>((bytes[i] >> shift) & 15) - b;
    }
  }
}

// 256 elements in 16 parts of 16: x = scale * part_scale * (q - 32), with q of 6 bits.
//   [128] low 4 bits of q   [64] high 2 bits of q   [16] part scales, signed   [2] scale, float16
// In each half of 128 elements, 32-element runs 0 and 2 share 32 bytes of low bits (2 in the upper
// halves), runs 1 and 3 the next 32; run r has its high bits at bit 2r of the half's 32 bytes.
void DequantizeQ6_K(const uint8_t* pack, float* out) {
  const int8_t* part_scales = reinterpret_cast<const int8_t*>(pack + 192);
  const float scale = LoadF16(pack + 208);
  for (int run = 0; run < 8; ++run) {
    const int half = run / 4, r = run % 4;
    const uint8_t* low = pack + half * 64 + r % 2 * 32;
    const uint8_t* high = pack + 128 + half * 32;
    const int low_shift = r / 2 * 4;
    for (int part = 0; part < 2; ++part) {
      const float a = scale * static_cast<float>(part_scales[run * 2 + part]);
      for (int i = part * 16; i < part * 16 + 16; ++i) {
        const int q = ((low[i] >> low_shift) & 15) | ((high[i] >> (2 * r)) & 3) << 4;
        out[run * 32 + i] = a * static_cast<float>(q - 32);
      }
    }
  }
}

// A float16 scale, then codes of weights from -1 to +2, of which a byte has four neighbours, the
// first in its lowest bits.
void DequantizeQ2_0(const uint8_t* pack, int64_t size, float* out) {
  const float scale = LoadF16(pack);
  for (int64_t i = 0; i < size; ++i) {
    const int code = pack[2 + i / 4] >> (2 * (i % 4)) & 3;
    out[i] = static_cast<float>(code - 1) * scale;
  }
}

}  // namespace

bool IsDequantizable(TensorType type) { return !IsTernary(type); }

void DequantizeRow(TensorType type, const std::byte* row, int64_t n, float* out) {
  const uint8_t* from = reinterpret_cast<const uint8_t*>(row);
  const int64_t pack = PackElements(type), pack_bytes = PackBytes(type);
  const auto each_pack = [&](auto dequantize) {
    for (int64_t i = 0; i < n; i += pack, from += pack_bytes) dequantize(from, out + i);
  };
  const auto each_half = [&](auto to_float) {
    for (int64_t i = 0; i < n; ++i) {
      uint16_t half;
      std::memcpy(&half, from + 2 * i, sizeof half);
      out[i] = to_float(half);
    }
  };
  switch (type) {
    case TensorType::kF32:
      std::memcpy(out, row, static_cast<size_t>(n) * sizeof *out);
      return;
    case TensorType::kF16:
      return each_half([](uint16_t half) { return F16ToF32(half); });
    case TensorType::kBF16:
      return each_half([](uint16_t half) { return BF16ToF32(half); });
    case TensorType::kQ8_0:
      return each_pack([](const uint8_t* from, float* out) { DequantizeQ8_0(from, out); });
    case TensorType::kQ4_K:
      return each_pack([](const uint8_t* from, float* out) { DequantizeQ4_K(from, out); });
    case TensorType::kQ6_K:
      return each_pack([](const uint8_t* from, float* out) { DequantizeQ6_K(from, out); });
    case TensorType::kQ2_0:
    case TensorType::kPQ2_0:
      return each_pack([=](const uint8_t* from, float* out) { DequantizeQ2_0(from, pack, out); });
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0:
    case TensorType::kI2_S:
      return;
  }
}

}  // namespace bitfetch
