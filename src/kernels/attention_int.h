// SPDX-License-Identifier: Apache-2.0
// Attention over quantised tiles works in integers: what its kernels have in common. The
// approximation, step by step, is in docs/attention.md.
#ifndef BITFETCH_KERNELS_ATTENTION_INT_H_
#define BITFETCH_KERNELS_ATTENTION_INT_H_

#include <cstdint>

#include "kernels/kernels.h"

namespace bitfetch {

// Query codes are within +-127. Those of weights times the scales of V are within +-32512, so that
// they split into two signed bytes.
inline constexpr float kMaxQueryCode = 127.0f;
inline constexpr float kMaxWeightCode = 127.0f * 256.0f;

// Weighted scales of V are coded relative to the largest of a chunk. Where that is below this, they
// add nothing to a sum of weights of at least 1; above, kMaxWeightCode divided by it is finite.
inline constexpr float kMinWeightedScale = 0x1p-100f;

// Added to a float that is far smaller, it rounds that to a whole number, half to even, in the low
// bits of the sum.
inline constexpr float kRounder = 0x1.8p23f;

// A block of query rows for keys that are quantised, in the room of its floats.
struct IntQueries {
  IntQueries(const float* block, int head_dim)
      : codes(reinterpret_cast<const int8_t*>(block)),
        scales(block + head_dim),
        sums(scales + head_dim / kQuantizedDims * kQueryPanel) {}

  const int8_t* codes;  // [head_dim / 4][kQueryPanel][4 dims]
  const float* scales;  // [head_dim / 32][kQueryPanel]
  const float* sums;    // [head_dim / 32][kQueryPanel] of the codes
};

// Codes row `row` of a block from query [head_dim] times `factor`. Values that are not finite make
// the scale of their 32 dims NaN.
void PrepareIntQuery(const float* query, float factor, int head_dim, int row, float* block);

namespace scalar {

// The two products for one query row and `tokens` tokens from `first` on, of one chunk, of the head
// whose tiles are `offset` bytes into their blocks: what every ISA must equal, bit for bit.
void ScoreCodes(const KvView& kv, int64_t first, int64_t tokens, size_t offset,
                const float* queries, int row, float* scores);
void SumCodes(const KvView& kv, int64_t first, int64_t tokens, size_t offset, const float* weights,
              float* sums);

}  // namespace scalar
}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_ATTENTION_INT_H_
