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
void DequantizeQ8_0(const uint8_t* block, float* out) {
  const float scale = LoadF16(block);
  const int8_t* q = reinterpret_cast<const int8_t*>(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(q[i]) * scale;
}

// 256 elements in 8 groups of 32: x = scale * group_scale * q - min * group_min.
//   [2] scale, float16   [2] min, float16
//   [12] group scales and minima, 6 bits each: those of groups 0..3 in the low 6 bits of bytes 0..3
//        and 4..7; of groups 4..7 the low 4 bits in the halves of bytes 8..11, the high 2 bits on
//        top of bytes 0..3 and 4..7
//   [128] q, 4 bits each: 32 bytes hold one group in their low halves and the next in the high ones
void DequantizeQ4_K(const uint8_t* block, float* out) {
  const float scale = LoadF16(block);
  const float min = LoadF16(block + 2);
  const uint8_t* packed = block + 4;
  const uint8_t* q = block + 16;
  for (int group = 0; group < 8; ++group) {
    int group_scale, group_min;
    if (group < 4) {
      group_scale = packed[group] & 63;
      group_min = packed[group + 4] & 63;
    } else {
      group_scale = (packed[group + 4] & 15) | (packed[group - 4] >> 6 << 4);
      group_min = (packed[group + 4] >> 4) | (packed[group] >> 6 << 4);
    }
    const float a = scale * static_cast<float>(group_scale);
    const float b = min * static_cast<float>(group_min);
    const uint8_t* bytes = q + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int i = 0; i < 32; ++i) {
      out[group * 32 + i] = a * static_cast<float>((bytes[i] >> shift) & 15) - b;
    }
  }
}

// 256 elements in 16 groups of 16: x = scale * group_scale * (q - 32), with q of 6 bits.
//   [128] low 4 bits of q   [64] high 2 bits of q   [16] group scales, signed   [2] scale, float16
// In each half of 128 elements, 32-element runs 0 and 2 share 32 bytes of low bits (2 in the upper
// halves), runs 1 and 3 the next 32; run r has its high bits at bit 2r of the half's 32 bytes.
void DequantizeQ6_K(const uint8_t* block, float* out) {
  const int8_t* group_scales = reinterpret_cast<const int8_t*>(block + 192);
  const float scale = LoadF16(block + 208);
  for (int run = 0; run < 8; ++run) {
    const int half = run / 4, r = run % 4;
    const uint8_t* low = block + half * 64 + r % 2 * 32;
    const uint8_t* high = block + 128 + half * 32;
    const int low_shift = r / 2 * 4;
    for (int group = 0; group < 2; ++group) {
      const float a = scale * static_cast<float>(group_scales[run * 2 + group]);
      for (int i = group * 16; i < group * 16 + 16; ++i) {
        const int q = ((low[i] >> low_shift) & 15) | ((high[i] >> (2 * r)) & 3) << 4;
        out[run * 32 + i] = a * static_cast<float>(q - 32);
      }
    }
  }
}

}  // namespace

bool IsDequantizable(TensorType type) { return !IsTernary(type); }

void DequantizeRow(TensorType type, const std::byte* row, int64_t n, float* out) {
  const uint8_t* from = reinterpret_cast<const uint8_t*>(row);
  const int64_t block = BlockElements(type), block_bytes = BlockBytes(type);
  const auto each_block = [&](auto dequantize) {
    for (int64_t i = 0; i < n; i += block, from += block_bytes) dequantize(from, out + i);
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
      return each_block([](const uint8_t* from, float* out) { DequantizeQ8_0(from, out); });
    case TensorType::kQ4_K:
      return each_block([](const uint8_t* from, float* out) { DequantizeQ4_K(from, out); });
    case TensorType::kQ6_K:
      return each_block([](const uint8_t* from, float* out) { DequantizeQ6_K(from, out); });
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0:
    case TensorType::kI2_S:
      return;
  }
}

}  // namespace bitfetch
