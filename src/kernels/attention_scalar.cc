// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/float16.h"
#include "kernels/attention_math.h"
#include "kernels/exp2.h"
#include "kernels/lookahead.h"
#include "kernels/scalar.h"
#include "prefetch/instruction.h"

namespace bitfetch::scalar {
namespace {

float Load(const std::byte* tile, KvType type, int64_t index) {
  if (type == KvType::kF32) return reinterpret_cast<const float*>(tile)[index];
  return F16ToF32(reinterpret_cast<const uint16_t*>(tile)[index]);
}

// One query head over one chunk: `tokens` from `first`, whose tiles are `head_offset` bytes into
// their blocks. `query` has its dims `stride` floats apart.
void AttendChunk(const KvView& kv, int64_t first, int64_t tokens, size_t head_offset,
                 const float* query, int stride, float* partial) {
  const KvLayout& layout = kv.layout;
  const int dims = layout.head_dim;
  float weights[kChunkTokens];
  float chunk_max = kLowestScore;
  for (int64_t t = 0; t < tokens; ++t) {
    const std::byte* tile = kv.Block((first + t) / kTileTokens) + head_offset;
    float score = 0.0f;
    for (int d = 0; d < dims; ++d) {
      const float key = Load(tile, layout.types.k, int64_t{d} * kTileTokens + t % kTileTokens);
      score = std::fma(query[int64_t{d} * stride], key, score);
    }
    weights[t] = ClampScore(score);
    chunk_max = std::max(chunk_max, weights[t]);
  }

  float* sums = partial + dims;
  float& max = partial[dims + kPartialSums];
  if (chunk_max > max + kRescaleMargin) {
    const float factor = Exp2(max - chunk_max);
    for (int d = 0; d < dims + kPartialSums; ++d) partial[d] *= factor;
    max = chunk_max;
  }
  for (int64_t t = 0; t < tokens; ++t) {
    weights[t] = Exp2(weights[t] - max);
    sums[t % kPartialSums] += weights[t];
  }

  for (int64_t t = 0; t < tokens; ++t) {
    const std::byte* tile =
        kv.Block((first + t) / kTileTokens) + head_offset + layout.k_tile_bytes();
    for (int d = 0; d < dims; ++d) {
      const int64_t index = (int64_t{d} / 16 * kTileTokens + t % kTileTokens) * 16 + d % 16;
      partial[d] = std::fma(weights[t], Load(tile, layout.types.v, index), partial[d]);
    }
  }
}

// Nothing is interleaved here: this kernel is for comparing, and slower than any memory.
[[gnu::always_inline]] inline void PrefetchChunk(Lookahead* ahead, int64_t first, int64_t tokens,
                                                 size_t block_bytes) {
  ahead->StartChunk(first / kTileTokens);
  const int streams = static_cast<int>((tokens + kTileTokens - 1) / kTileTokens);
  for (size_t offset = 0; offset < block_bytes; offset += kCacheLineBytes) {
    for (int stream = 0; stream < streams; ++stream) PrefetchLine(ahead->Address(stream, offset));
  }
}

}  // namespace

void Attend(const AttendJob& job) {
  const KvLayout& layout = job.kv.layout;
  const size_t partial_floats = PartialFloats(layout.head_dim);
  Lookahead ahead(job);
  float* range_partials = job.partials;
  for (int64_t begin = job.begin; begin < job.end; begin += kRangeTokens) {
    const int64_t end = std::min(begin + kRangeTokens, job.end);
    for (int head = 0; head < layout.kv_heads * job.group; ++head) {
      InitPartial(range_partials + head * partial_floats, layout.head_dim);
    }
    for (int64_t first = begin; first < end; first += kChunkTokens) {
      const int64_t tokens = std::min<int64_t>(kChunkTokens, end - first);
      if (job.distance_bytes > 0) PrefetchChunk(&ahead, first, tokens, layout.block_bytes());
      for (int head = 0; head < layout.kv_heads * job.group; ++head) {
        const int kv_head = head / job.group;
        AttendChunk(job.kv, first, tokens, kv_head * layout.head_bytes(),
                    job.queries + int64_t{kv_head} * layout.head_dim * job.group + head % job.group,
                    job.group, range_partials + head * partial_floats);
      }
    }
    range_partials += layout.kv_heads * job.group * partial_floats;
  }
}

void Fold(const float* partials, int64_t ranges, int64_t range_stride, int head_dim, float* out) {
  float max = -std::numeric_limits<float>::infinity();
  float total = 0.0f;
  std::fill(out, out + head_dim, 0.0f);
  for (int64_t range = 0; range < ranges; ++range) {
    const float* partial = partials + range * range_stride;
    float sums[kPartialSums];
    std::copy(partial + head_dim, partial + head_dim + kPartialSums, sums);
    const float range_total = FoldSums(sums);
    const float range_max = partial[head_dim + kPartialSums];
    const float new_max = std::max(max, range_max);
    const float old_factor = Exp2(max - new_max);
    const float range_factor = Exp2(range_max - new_max);
    total = std::fma(range_total, range_factor, total * old_factor);
    for (int d = 0; d < head_dim; ++d)
      out[d] = std::fma(partial[d], range_factor, out[d] * old_factor);
    max = new_max;
  }
  const float factor = total > 0.0f ? 1.0f / total : 0.0f;
  for (int d = 0; d < head_dim; ++d) out[d] *= factor;
}

}  // namespace bitfetch::scalar
