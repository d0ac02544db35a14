// SPDX-License-Identifier: Apache-2.0
// Attention over tiles: the softmax, and the order in which tiles are walked. Included once for
// each ISA.

#if defined(BITFETCH_KERNELS_ATTENTION_WALK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_ATTENTION_WALK_INL_H_
#undef BITFETCH_KERNELS_ATTENTION_WALK_INL_H_
#else
#define BITFETCH_KERNELS_ATTENTION_WALK_INL_H_
#endif

#include <cstdint>

#include "kernels/attention_math.h"
#include "kernels/lookahead.h"
#include "kernels/simd.h"
#include "kernels/tile_products.h"
#include "kernels/vec16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

// As in attention_math.h: of two that don't compare, Greater16 and Less16 give the second.
HWY_INLINE Vec16 ClampScore16(const Vec16& score) {
  return Less16(Greater16(score, Set16(kLowest)), Set16(kHighest));
}
HWY_INLINE Vec16 ClampSum16(const Vec16& sum) {
  return Less16(Set16(kHighest), Greater16(Set16(kLowest), sum));
}

// Turns the scores of one query row over a chunk into weights relative to the maximum so far,
// [kChunkTokens] in place, and adds them to the partial's sums. kFull: the chunk is.
template <bool kFull>
HWY_INLINE void WeighTokens(int tokens, int head_dim, float* HWY_RESTRICT scores,
                            float* HWY_RESTRICT partial) {
  const int tiles = kFull ? kChunkTiles : (tokens + kTileTokens - 1) / kTileTokens;
  const auto seen = [&](int tile, const Vec16& x, const Vec16& other) HWY_ATTR {
    return kFull ? x : First16(tokens - tile * kTileTokens, x, other);
  };
  const Vec16 lowest = Set16(kLowest);
  Vec16 clamped[kChunkTiles];
  Vec16 largest = lowest;
  for (int tile = 0; tile < tiles; ++tile) {
    clamped[tile] = seen(tile, ClampScore16(Load16(scores + tile * kTileTokens)), lowest);
    largest = Greater16(clamped[tile], largest);
  }
  const float chunk_max = MaxLane16(largest);
  float& max = partial[head_dim + kPartialSums];
  if (HWY_UNLIKELY(chunk_max > max + kRescaleMargin)) {
    const Vec16 factor = Set16(Exp2(max - chunk_max));
    for (int d = 0; d < head_dim + kPartialSums; d += 16)
      Store16(Mul16(ClampSum16(Load16(partial + d)), factor), partial + d);
    max = chunk_max;
  }
  const Vec16 reference = Set16(max);
  Vec16 sums = Load16(partial + head_dim);
  for (int tile = 0; tile < tiles; ++tile) {
    const Vec16 weights = seen(tile, Exp2Vec16(Sub16(clamped[tile], reference)), Set16(0.0f));
    Store16(weights, scores + tile * kTileTokens);
    sums = Add16(sums, weights);
  }
  Store16(sums, partial + head_dim);
}

HWY_INLINE void WeighChunk(int tokens, int head_dim, float* scores, float* partial) {
  if (HWY_LIKELY(tokens == kChunkTokens)) {
    WeighTokens<true>(tokens, head_dim, scores, partial);
  } else {
    WeighTokens<false>(tokens, head_dim, scores, partial);
  }
}

// Chooses nothing, and no code is left of it.
struct NoWatch {
  HWY_INLINE const ProductsByType* Due(size_t /*chunk_bytes*/) { return nullptr; }
};

// Walks the tiles of a job. watch.Due(bytes), asked before each chunk of so many bytes, may choose
// other products for the first rows that read it.
template <class Watch>
class Walk {
 public:
  Walk(const AttendJob& job, const ProductsByType& products, Watch watch)
      : job_(job),
        layout_(job.kv.layout),
        heads_(job.end_head - job.first_head),
        partial_floats_(PartialFloats(layout_.head_dim)),
        products_(products),
        together_(kQueryPanel * HWY_MIN(products[static_cast<size_t>(layout_.types.k)]->together,
                                        products[static_cast<size_t>(layout_.types.v)]->together)),
        watch_(watch),
        lookahead_(job) {}

  void Run() {
    const int64_t walk_tokens = int64_t{WalkTiles(job_.prefetch)} * kTileTokens;
    float* partials = job_.partials;
    for (int64_t begin = job_.begin; begin < job_.end; begin += kRangeTokens) {
      const int64_t end = HWY_MIN(begin + kRangeTokens, job_.end);
      for (int row = 0; row < heads_ * job_.rows; ++row) {
        InitPartial(partials + row * partial_floats_, layout_.head_dim);
      }
      for (int64_t first = begin; first < end; first += walk_tokens) {
        for (int head = 0; head < heads_; ++head) {
          Head(head, first, HWY_MIN(first + walk_tokens, end),
               partials + int64_t{head} * job_.rows * partial_floats_);
        }
      }
      partials += int64_t{heads_} * job_.rows * partial_floats_;
    }
  }

 private:
  // One head of the tiles of a walk, a chunk at a time. Whoever comes first prefetches; the others
  // find their tiles in the cache.
  void Head(int head, int64_t begin, int64_t end, float* partials) {
    const int panels = QueryPanels(job_.rows);
    const float* queries = job_.queries + int64_t{head} * panels * layout_.head_dim * kQueryPanel;
    for (int64_t first = begin; first < end; first += kChunkTokens) {
      Chunk chunk;
      chunk.tokens = static_cast<int>(HWY_MIN(end - first, kChunkTokens));
      for (int tile = 0; tile < chunk.count(); ++tile) {
        chunk.tiles[tile] = job_.kv.Block(first / kTileTokens + tile) +
                            (job_.first_head + head) * layout_.head_bytes();
      }
      const ProductsByType* products = watch_.Due(chunk.count() * layout_.head_bytes());
      if (products == nullptr) products = &products_;
      lookahead_.Resume();
      for (int row = 0; row < job_.rows;) {
        row += Panel(first, chunk, queries + int64_t{row} * layout_.head_dim, row, products,
                     partials + row * partial_floats_);
      }
    }
  }

  // How much of a chunk a row attends to; may be negative.
  int64_t Visible(int row, int64_t first, int tokens) const {
    return HWY_MIN(job_.visible + row / job_.group - first, int64_t{tokens});
  }

  // The next panel of query rows, or several; returns how many rows that are. Together where they
  // see as much of the chunk, else one by one.
  int Panel(int64_t first, const Chunk& chunk, const float* queries, int row,
            const ProductsByType*& products, float* partials) {
    const auto alike = [&](int rows) HWY_ATTR {
      return row + rows <= job_.rows &&
             Visible(row, first, chunk.tokens) == Visible(row + rows - 1, first, chunk.tokens);
    };
    const int rows = alike(together_) ? together_ : HWY_MIN(job_.rows - row, kQueryPanel);
    const int step = alike(rows) ? rows : 1;
    for (int r = 0; r < rows; r += step) {
      const int64_t visible = Visible(row + r, first, chunk.tokens);
      if (visible <= 0) continue;
      Chunk seen = chunk;
      seen.tokens = static_cast<int>(visible);
      Rows(seen, queries, r, step, *products, partials + r * partial_floats_);
      products = &products_;
      lookahead_.Pause();
    }
    return rows;
  }

  void Rows(const Chunk& chunk, const float* queries, int row, int rows,
            const ProductsByType& products, float* partials) {
    alignas(64) float scores[kMaxPanels * kQueryPanel * kChunkTokens];
    const TileProducts& k = *products[static_cast<size_t>(layout_.types.k)];
    const TileProducts& v = *products[static_cast<size_t>(layout_.types.v)];
    const bool together = rows > kQueryPanel;
    (together ? k.score_together : k.score[rows - 1])(layout_, chunk, queries, row, lookahead_,
                                                      scores);
    for (int r = 0; r < rows; ++r) {
      WeighChunk(chunk.tokens, layout_.head_dim, scores + r * kChunkTokens,
                 partials + r * partial_floats_);
    }
    (together ? v.sum_together : v.sum[rows - 1])(layout_, chunk, scores, lookahead_, partials);
  }

  const AttendJob& job_;
  const KvLayout& layout_;
  int heads_;
  size_t partial_floats_;
  const ProductsByType& products_;
  int together_;  // rows of the panels that are taken together
  Watch watch_;
  Lookahead lookahead_;
};

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_ATTENTION_WALK_INL_H_
