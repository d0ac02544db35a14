// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/float16.h"
#include "kernels/attention_int.h"

namespace bitfetch {
namespace {

// Code `index`, counted as if each had a byte, as the integer that it stands for.
int Code(const std::byte* codes, KvType type, size_t index) {
  if (type == KvType::kQ8_0) return static_cast<int8_t>(codes[index]);
  const size_t line = index / kCacheLineBytes;
  const std::byte both = codes[line / 2 * kCacheLineBytes + index % kCacheLineBytes];
  return std::to_integer<int>(line % 2 == 0 ? both & std::byte{15} : both >> 4) - 8;
}

float Scale(const std::byte* tile, int span, int slot) {
  return F16ToF32(reinterpret_cast<const uint16_t*>(tile)[span * kTileTokens + slot]);
}

}  // namespace

void PrepareIntQuery(const float* query, float factor, int head_dim, int row, float* block) {
  auto* codes = reinterpret_cast<int8_t*>(block);  // see IntQueries
  float* scales = block + head_dim;
  float* sums = scales + head_dim / kQuantizedDims * kQueryPanel;
  for (int first = 0; first < head_dim; first += kQuantizedDims) {
    float values[kQuantizedDims];
    int32_t largest_bits = 0;  // so that a NaN is larger than any number, and the loop vectorises
    for (int i = 0; i < kQuantizedDims; ++i) {
      values[i] = query[first + i] * factor;
      largest_bits = std::max(largest_bits, std::bit_cast<int32_t>(values[i]) & 0x7fffffff);
    }
    const auto largest = std::bit_cast<float>(largest_bits);
    const float inverse = kMaxQueryCode / largest;
    const bool codable = inverse > 0.0f && std::isfinite(inverse);  // else too small, or not finite
    std::array<int8_t, kQuantizedDims> span = {};
    int32_t sum = 0;
    if (codable) {
      for (int i = 0; i < kQuantizedDims; ++i) {
        const auto code = std::bit_cast<int32_t>(values[i] * inverse + kRounder) -
                          std::bit_cast<int32_t>(kRounder);
        span[i] = static_cast<int8_t>(code);
        sum += code;
      }
    }
    for (int i = 0; i < kQuantizedDims; i += 4) {
      std::copy_n(&span[i], 4, codes + ((first + i) / 4 * kQueryPanel + row) * 4);
    }
    const int index = first / kQuantizedDims * kQueryPanel + row;
    scales[index] = codable ? largest / kMaxQueryCode : largest * 0.0f;
    sums[index] = static_cast<float>(sum);
  }
}

namespace scalar {

void ScoreCodes(const KvView& kv, int64_t first, int64_t tokens, size_t offset,
                const float* queries, int row, float* scores) {
  const KvLayout& layout = kv.layout;
  const IntQueries prepared(queries, layout.head_dim);
  for (int64_t t = 0; t < tokens; ++t) {
    const std::byte* tile = kv.Block((first + t) / kTileTokens) + offset;
    const std::byte* codes = tile + layout.k_scales_bytes();
    const int slot = static_cast<int>(t % kTileTokens);
    scores[t] = 0.0f;
    for (int span = 0; span < layout.head_dim / kQuantizedDims; ++span) {
      int sum = 0;
      for (int d = span * kQuantizedDims; d < (span + 1) * kQuantizedDims; ++d) {
        const int key = Code(codes, layout.types.k, (d / 4 * kTileTokens + slot) * 4 + d % 4);
        sum += prepared.codes[(d / 4 * kQueryPanel + row) * 4 + d % 4] * key;
      }
      const float scale = Scale(tile, span, slot) * prepared.scales[span * kQueryPanel + row];
      scores[t] = std::fma(static_cast<float>(sum), scale, scores[t]);
    }
  }
}

void SumCodes(const KvView& kv, int64_t first, int64_t tokens, size_t offset, const float* weights,
              float* sums) {
  const KvLayout& layout = kv.layout;
  const std::byte* tiles[kChunkTiles];
  for (int64_t t = 0; t < tokens; t += kTileTokens) {
    tiles[t / kTileTokens] = kv.Block((first + t) / kTileTokens) + offset + layout.k_tile_bytes();
  }
  for (int span = 0; span < layout.head_dim / kQuantizedDims; ++span) {
    float weighted[kChunkTokens];
    uint32_t largest_bits = 0;  // so that a NaN is larger than any number
    for (int64_t t = 0; t < tokens; ++t) {
      const int slot = static_cast<int>(t % kTileTokens);
      weighted[t] = weights[t] * Scale(tiles[t / kTileTokens], span, slot);
      largest_bits = std::max(largest_bits, std::bit_cast<uint32_t>(std::fabs(weighted[t])));
    }
    const auto largest = std::bit_cast<float>(largest_bits);
    const bool codable = largest >= kMinWeightedScale;  // and no NaN
    int codes[kChunkTokens] = {};
    for (int64_t t = 0; codable && t < tokens; ++t) {
      const float rounded = std::fma(weighted[t], kMaxWeightCode / largest, kRounder);
      codes[t] = static_cast<int>(rounded - kRounder);
    }
    const float unit = largest * (1.0f / kMaxWeightCode);
    for (int d = span * kQuantizedDims; d < (span + 1) * kQuantizedDims; ++d) {
      int sum = 0;
      for (int64_t t = 0; t < tokens; ++t) {
        const auto slot = static_cast<int>(t % kTileTokens);
        const int index = ((d / 16 * 4 + slot / 4) * 16 + d % 16) * 4 + slot % 4;
        sum += codes[t] * Code(tiles[t / kTileTokens] + layout.v_scales_bytes(), layout.types.v,
                               static_cast<size_t>(index));
      }
      sums[d] = std::fma(static_cast<float>(sum), unit, sums[d]);
    }
  }
}

}  // namespace scalar
}  // namespace bitfetch
