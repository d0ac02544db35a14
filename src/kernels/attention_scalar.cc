// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/float16.h"
#include "kernels/attention_int.h"
#include "kernels/attention_math.h"
#include "kernels/exp2.h"
#include "kernels/lookahead.h"
#include "kernels/scalar.h"

namespace bitfetch::scalar {
namespace {

float Load(const std::byte* tile, KvType type, int64_t index) {
  if (type == KvType::kF32) return reinterpret_cast<const float*>(tile)[index];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(tile)[index];
  return type == KvType::kF16 ? F16ToF32(bits) : BF16ToF32(bits);
}

// The products of one query row and one chunk: `tokens` from `first`, whose tiles are `offset`
// bytes into their blocks. queries: [head_dim][kQueryPanel].
void ScoreFloats(const KvView& kv, int64_t first, int64_t tokens, size_t offset,
                 const float* queries, int row, float* scores) {
  for (int64_t t = 0; t < tokens; ++t) {
    const std::byte* tile = kv.Block((first + t) / kTileTokens) + offset;
    scores[t] = 0.0f;
    for (int d = 0; d < kv.layout.head_dim; ++d) {
      const float key = Load(tile, kv.layout.types.k, int64_t{d} * kTileTokens + t % kTileTokens);
      scores[t] = std::fma(queries[d * kQueryPanel + row], key, scores[t]);
    }
  }
}

void SumFloats(const KvView& kv, int64_t first, int64_t tokens, size_t offset, const float* weights,
               float* sums) {
  for (int64_t t = 0; t < tokens; ++t) {
    const std::byte* tile = kv.Block((first + t) / kTileTokens) + offset + kv.layout.k_tile_bytes();
    for (int d = 0; d < kv.layout.head_dim; ++d) {
      const int64_t index = (int64_t{d} / 16 * kTileTokens + t % kTileTokens) * 16 + d % 16;
      sums[d] = std::fma(weights[t], Load(tile, kv.layout.types.v, index), sums[d]);
    }
  }
}

void AttendChunk(const KvView& kv, int64_t first, int64_t tokens, size_t offset,
                 const float* queries, int row, float* partial) {
  const KvTypes types = kv.layout.types;
  const int dims = kv.layout.head_dim;
  float weights[kChunkTokens];
  const auto score = IsQuantized(types.k) ? ScoreCodes : ScoreFloats;
  score(kv, first, tokens, offset, queries, row, weights);
  float chunk_max = kLowest;
  for (int64_t t = 0; t < tokens; ++t) {
    weights[t] = ClampScore(weights[t]);
    chunk_max = std::max(chunk_max, weights[t]);
  }

  float* sums = partial + dims;
  float& max = partial[dims + kPartialSums];
  if (chunk_max > max + kRescaleMargin) {
    const float factor = Exp2(max - chunk_max);
    for (int d = 0; d < dims + kPartialSums; ++d) partial[d] = ClampSum(partial[d]) * factor;
    max = chunk_max;
  }
  for (int64_t t = 0; t < tokens; ++t) {
    weights[t] = Exp2(weights[t] - max);
    sums[t % kPartialSums] += weights[t];
  }

  const auto sum = IsQuantized(types.v) ? SumCodes : SumFloats;
  sum(kv, first, tokens, offset, weights, partial);
}

}  // namespace

void Attend(const AttendJob& job) {
  const KvLayout& layout = job.kv.layout;
  const size_t partial_floats = PartialFloats(layout.head_dim);
  Lookahead ahead(job);
  const int heads = job.end_head - job.first_head;
  const int64_t head_queries = int64_t{QueryPanels(job.rows)} * layout.head_dim * kQueryPanel;
  float* partials = job.partials;
  for (int64_t begin = job.begin; begin < job.end; begin += kRangeTokens) {
    const int64_t end = std::min(begin + kRangeTokens, job.end);
    for (int head = 0; head < heads; ++head) {
      const float* queries = job.queries + head * head_queries;
      const size_t head_offset = (job.first_head + head) * layout.head_bytes();
      const int64_t tiles = (end - begin + kTileTokens - 1) / kTileTokens;
      // At once: this kernel is for comparing, and slower than any memory.
      ahead.Fetch(tiles * layout.head_bytes() / kCacheLineBytes);
      for (int row = 0; row < job.rows; ++row) {
        InitPartial(partials, layout.head_dim);
        const float* block = queries + int64_t{row / kQueryPanel} * kQueryPanel * layout.head_dim;
        const int64_t row_end = std::min(end, job.visible + row / job.group);
        for (int64_t first = begin; first < row_end; first += kChunkTokens) {
          AttendChunk(job.kv, first, std::min<int64_t>(kChunkTokens, row_end - first), head_offset,
                      block, row % kQueryPanel, partials);
        }
        partials += partial_floats;
      }
    }
  }
}

void Fold(const float* partials, int64_t ranges, int64_t range_stride, int head_dim,
          float* folded) {
  for (int64_t range = 0; range < ranges; ++range) {
    const float* partial = partials + range * range_stride;
    float sums[kPartialSums];
    std::copy(partial + head_dim, partial + head_dim + kPartialSums, sums);
    const FoldFactors factors = FoldRange(FoldSums(sums), partial, head_dim, folded);
    for (int d = 0; d < head_dim; ++d) {
      folded[d] = std::fma(ClampSum(partial[d]), factors.range, ClampSum(folded[d]) * factors.old);
    }
  }
}

}  // namespace bitfetch::scalar
