// SPDX-License-Identifier: Apache-2.0
// Attention over tiles: sixteen tokens side by side for scores, sixteen dims side by side for sums
// of V. The tiles of a chunk are walked together, sixteen rows of each in turn, and so are the
// prefetches, one a line, between the multiply-adds. Included once for each ISA.

#if defined(BITFETCH_KERNELS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_ATTENTION_INL_H_
#undef BITFETCH_KERNELS_ATTENTION_INL_H_
#else
#define BITFETCH_KERNELS_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/attention_math.h"
#include "kernels/lookahead.h"
#include "kernels/scalar.h"
#include "kernels/vec16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

// Queries that share a row of a tile while it is in registers: their sums must fit beside it.
constexpr int kQueryBlock = 4;

// Scores of kQueries queries against one tile, sixteen dims on. rows: [16 dims][16 tokens]; query:
// [16 dims][group]; scores: [kQueries][kChunkTokens].
template <int kQueries, bool kPrefetch, class Element>
HWY_INLINE void ScoreRows(const Element* HWY_RESTRICT rows, const float* HWY_RESTRICT query,
                          int group, const std::byte* ahead, float* HWY_RESTRICT scores) {
  constexpr int kRowsPerLine = static_cast<int>(kCacheLineBytes / (16 * sizeof(Element)));
  Vec16 sums[kQueries];
  for (int q = 0; q < kQueries; ++q) sums[q] = Load16(scores + q * kChunkTokens);
#pragma GCC unroll 16
  for (int d = 0; d < 16; ++d) {
    if (kPrefetch && d % kRowsPerLine == 0) PrefetchLine(ahead + d * 16 * sizeof(Element));
    const Vec16 keys = Load16(rows + d * 16);
    for (int q = 0; q < kQueries; ++q) {
      sums[q] = MulAdd16(Set16(query[d * group + q]), keys, sums[q]);
    }
  }
  for (int q = 0; q < kQueries; ++q) Store16(sums[q], scores + q * kChunkTokens);
}

// Adds the values of one tile, sixteen dims of each, weighted. rows: [16 tokens][16 dims]; weights:
// [kQueries][kChunkTokens].
template <int kQueries, bool kPrefetch, class Element>
HWY_INLINE void AddRows(const Element* HWY_RESTRICT rows, int tokens,
                        const float* HWY_RESTRICT weights, const std::byte* ahead,
                        Vec16 (&sums)[kQueries]) {
  constexpr int kRowsPerLine = static_cast<int>(kCacheLineBytes / (16 * sizeof(Element)));
  const auto add = [&](int t) HWY_ATTR {
    if (kPrefetch && t % kRowsPerLine == 0) PrefetchLine(ahead + t * 16 * sizeof(Element));
    const Vec16 values = Load16(rows + t * 16);
    for (int q = 0; q < kQueries; ++q) {
      sums[q] = MulAdd16(Set16(weights[q * kChunkTokens + t]), values, sums[q]);
    }
  };
  if (HWY_LIKELY(tokens == kTileTokens)) {
#pragma GCC unroll 16
    for (int t = 0; t < kTileTokens; ++t) add(t);
  } else {
    for (int t = 0; t < tokens; ++t) add(t);
  }
}

// Turns the scores of one query over a chunk into weights relative to the maximum so far,
// [kChunkTokens] in place, and adds them to the partial's sums.
HWY_INLINE void WeighChunk(int tokens, int head_dim, float* HWY_RESTRICT scores,
                           float* HWY_RESTRICT partial) {
  const int tiles = (tokens + kTileTokens - 1) / kTileTokens;
  const Vec16 lowest = Set16(kLowestScore);
  const Vec16 highest = Set16(kHighestScore);
  Vec16 clamped[kChunkTiles];
  Vec16 largest = lowest;
  for (int tile = 0; tile < tiles; ++tile) {
    const Vec16 score = Less16(Greater16(Load16(scores + tile * kTileTokens), lowest), highest);
    clamped[tile] = First16(tokens - tile * kTileTokens, score, lowest);
    largest = Greater16(clamped[tile], largest);
  }
  const float chunk_max = MaxLane16(largest);
  float& max = partial[head_dim + kPartialSums];
  if (chunk_max > max + kRescaleMargin) {
    const Vec16 factor = Set16(Exp2(max - chunk_max));
    for (int d = 0; d < head_dim + kPartialSums; d += 16)
      Store16(Mul16(Load16(partial + d), factor), partial + d);
    max = chunk_max;
  }
  const Vec16 reference = Set16(max);
  Vec16 sums = Load16(partial + head_dim);
  for (int tile = 0; tile < tiles; ++tile) {
    const Vec16 weights = First16(tokens - tile * kTileTokens,
                                  Exp2Vec16(Sub16(clamped[tile], reference)), Set16(0.0f));
    Store16(weights, scores + tile * kTileTokens);
    sums = Add16(sums, weights);
  }
  Store16(sums, partial + head_dim);
}

// Where the prefetches for `bytes` of a stream begin. Where they lie in two places, which is once a
// block, they are done at once, and `here` is given back: lines that are in the cache.
template <bool kPrefetch>
HWY_INLINE const std::byte* PrefetchFrom(const Lookahead& lookahead, int stream, size_t offset,
                                         size_t bytes, const std::byte* here) {
  if (!kPrefetch) return nullptr;
  if (HWY_LIKELY(!lookahead.IsSplit(offset, bytes))) return lookahead.Address(stream, offset);
  for (size_t line = 0; line < bytes; line += kCacheLineBytes)
    PrefetchLine(lookahead.Address(stream, offset + line));
  return here;
}

// One KV head of one chunk, for kQueries of its queries. The first block of queries is the one that
// prefetches: the others find their tiles in the cache.
template <int kQueries, bool kPrefetch, class KElement, class VElement>
void AttendHead(const KvView& kv, const Lookahead& lookahead, int64_t first, int tokens,
                size_t head_offset, const float* queries, int group, float* scores,
                float* partials) {
  const int dims = kv.layout.head_dim;
  const int tiles = (tokens + kTileTokens - 1) / kTileTokens;
  const std::byte* heads[kChunkTiles];
  for (int tile = 0; tile < tiles; ++tile)
    heads[tile] = kv.Block(first / kTileTokens + tile) + head_offset;

  std::fill(scores, scores + kQueries * kChunkTokens, 0.0f);
  for (int d = 0; d < dims; d += 16) {
    const size_t offset = d * kTileTokens * sizeof(KElement);
    for (int tile = 0; tile < tiles; ++tile) {
      ScoreRows<kQueries, kPrefetch>(
          reinterpret_cast<const KElement*>(heads[tile] + offset), queries + d * group, group,
          PrefetchFrom<kPrefetch>(lookahead, tile, head_offset + offset,
                                  16 * kTileTokens * sizeof(KElement), heads[tile] + offset),
          scores + tile * kTileTokens);
    }
  }

  const size_t partial_floats = PartialFloats(dims);
  for (int q = 0; q < kQueries; ++q)
    WeighChunk(tokens, dims, scores + q * kChunkTokens, partials + q * partial_floats);

  for (int d = 0; d < dims; d += 16) {
    const size_t offset = kv.layout.k_tile_bytes() + d * kTileTokens * sizeof(VElement);
    Vec16 sums[kQueries];
    for (int q = 0; q < kQueries; ++q) sums[q] = Load16(partials + q * partial_floats + d);
    for (int tile = 0; tile < tiles; ++tile) {
      AddRows<kQueries, kPrefetch>(
          reinterpret_cast<const VElement*>(heads[tile] + offset),
          HWY_MIN(tokens - tile * kTileTokens, kTileTokens), scores + tile * kTileTokens,
          PrefetchFrom<kPrefetch>(lookahead, tile, head_offset + offset,
                                  16 * kTileTokens * sizeof(VElement), heads[tile] + offset),
          sums);
    }
    for (int q = 0; q < kQueries; ++q) Store16(sums[q], partials + q * partial_floats + d);
  }
}

using AttendHeadFunction = void (*)(const KvView&, const Lookahead&, int64_t, int, size_t,
                                    const float*, int, float*, float*);
// By the number of queries, less one.
template <bool kPrefetch, class KElement, class VElement>
constexpr AttendHeadFunction kAttendHead[kQueryBlock] = {
    &AttendHead<1, kPrefetch, KElement, VElement>, &AttendHead<2, kPrefetch, KElement, VElement>,
    &AttendHead<3, kPrefetch, KElement, VElement>, &AttendHead<4, kPrefetch, KElement, VElement>};

template <bool kPrefetch, class KElement, class VElement>
void AttendTyped(const AttendJob& job) {
  const KvLayout& layout = job.kv.layout;
  const size_t partial_floats = PartialFloats(layout.head_dim);
  const int query_heads = layout.kv_heads * job.group;
  Lookahead lookahead(job);
  float* range_partials = job.partials;
  for (int64_t begin = job.begin; begin < job.end; begin += kRangeTokens) {
    const int64_t end = HWY_MIN(begin + kRangeTokens, job.end);
    for (int head = 0; head < query_heads; ++head)
      InitPartial(range_partials + head * partial_floats, layout.head_dim);
    for (int64_t first = begin; first < end; first += kChunkTokens) {
      const int tokens = static_cast<int>(HWY_MIN(end - first, kChunkTokens));
      if constexpr (kPrefetch) lookahead.StartChunk(first / kTileTokens);
      for (int kv_head = 0; kv_head < layout.kv_heads; ++kv_head) {
        const size_t head_offset = kv_head * layout.head_bytes();
        const float* queries = job.queries + int64_t{kv_head} * layout.head_dim * job.group;
        for (int q = 0; q < job.group; q += kQueryBlock) {
          const auto attend_head = (q == 0 ? kAttendHead<kPrefetch, KElement, VElement>
                                           : kAttendHead<false, KElement, VElement>)
              [HWY_MIN(job.group - q, kQueryBlock) - 1];
          attend_head(job.kv, lookahead, first, tokens, head_offset, queries + q, job.group,
                      job.scratch, range_partials + (kv_head * job.group + q) * partial_floats);
        }
      }
    }
    range_partials += query_heads * partial_floats;
  }
}

template <class KElement, class VElement>
void AttendElements(const AttendJob& job) {
  if (job.distance_bytes > 0) {
    AttendTyped<true, KElement, VElement>(job);
  } else {
    AttendTyped<false, KElement, VElement>(job);
  }
}

template <class KElement>
void AttendKeys(const AttendJob& job) {
  switch (job.kv.layout.types.v) {
    case KvType::kF32:
      return AttendElements<KElement, float>(job);
    case KvType::kF16:
      return AttendElements<KElement, hwy::float16_t>(job);
    default:  // see AttentionReads
      return;
  }
}

void Attend(const AttendJob& job) {
  switch (job.kv.layout.types.k) {
    case KvType::kF32:
      return AttendKeys<float>(job);
    case KvType::kF16:
      return AttendKeys<hwy::float16_t>(job);
    default:
      return;
  }
}

void Fold(const float* partials, int64_t ranges, int64_t range_stride, int head_dim, float* out) {
  float max = -std::numeric_limits<float>::infinity();
  float total = 0.0f;
  std::fill(out, out + head_dim, 0.0f);
  for (int64_t range = 0; range < ranges; ++range) {
    const float* partial = partials + range * range_stride;
    float sums[kPartialSums];
    Store16(Load16(partial + head_dim), sums);
    const float range_total = scalar::FoldSums(sums);
    const float range_max = partial[head_dim + kPartialSums];
    const float new_max = std::max(max, range_max);
    const float old_factor = Exp2(max - new_max);
    const float range_factor = Exp2(range_max - new_max);
    total = std::fma(range_total, range_factor, total * old_factor);
    for (int d = 0; d < head_dim; d += 16) {
      const Vec16 old = Mul16(Load16(out + d), Set16(old_factor));
      Store16(MulAdd16(Load16(partial + d), Set16(range_factor), old), out + d);
    }
    max = new_max;
  }
  const Vec16 factor = Set16(total > 0.0f ? 1.0f / total : 0.0f);
  for (int d = 0; d < head_dim; d += 16) Store16(Mul16(Load16(out + d), factor), out + d);
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_ATTENTION_INL_H_
