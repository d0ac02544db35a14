// SPDX-License-Identifier: Apache-2.0
// Attention over tiles: the softmax, and the order in which tiles are walked. Included once for
// each ISA.

#if defined(BITFETCH_KERNELS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_ATTENTION_INL_H_
#undef BITFETCH_KERNELS_ATTENTION_INL_H_
#else
#define BITFETCH_KERNELS_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/attention_float-inl.h"
#include "kernels/attention_int.h"
#include "kernels/attention_math.h"
#include "kernels/lookahead.h"
#include "kernels/scalar.h"
#include "kernels/vec16-inl.h"

#define BITFETCH_DOT plain
#include "kernels/attention_int-inl.h"

#if HWY_TARGET == HWY_AVX3
// Highway's own target with VNNI has AVX-VNNI as well, which no CPU with AVX-512 needs to have.
#define BITFETCH_DOT vnni
#define BITFETCH_DOT_TARGET HWY_TARGET_STR ",avx512vnni"
#define BITFETCH_DOT_VNNI
#include "kernels/attention_int-inl.h"
#elif HWY_TARGET == HWY_NEON
// With crypto, as Highway's target has it: GCC inlines nothing into functions that may do less.
#define BITFETCH_DOT dotprod
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod"
#define BITFETCH_DOT_DOTPROD
#include "kernels/attention_int-inl.h"

#define BITFETCH_DOT i8mm
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod+i8mm"
#define BITFETCH_DOT_I8MM
#include "kernels/attention_int-inl.h"
#endif

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

#define BITFETCH_BY_ROWS(function, ahead)                                                     \
  {                                                                                           \
    &function<1, ahead, Element>, &function<2, ahead, Element>, &function<3, ahead, Element>, \
        &function<4, ahead, Element>                                                          \
  }
#define BITFETCH_BY_AHEAD(function)                                                         \
  {                                                                                         \
    BITFETCH_BY_ROWS(function, Ahead::kNothing), BITFETCH_BY_ROWS(function, Ahead::kToL1),  \
        BITFETCH_BY_ROWS(function, Ahead::kToL2), BITFETCH_BY_ROWS(function, Ahead::kTimed) \
  }
template <class Element>
constexpr ScoreFunctions kScoreFloats = BITFETCH_BY_AHEAD(ScoreFloats);
template <class Element>
constexpr SumFunctions kSumFloats = BITFETCH_BY_AHEAD(SumFloats);
#undef BITFETCH_BY_AHEAD
#undef BITFETCH_BY_ROWS

HWY_INLINE const ScoreFunctions& ScoreFunctionsFor(KvType type, const CodeProducts& codes) {
  switch (type) {
    case KvType::kF32:
      return kScoreFloats<float>;
    case KvType::kF16:
      return kScoreFloats<hwy::float16_t>;
    case KvType::kBF16:
      return kScoreFloats<hwy::bfloat16_t>;
    case KvType::kQ8_0:
      return codes.q8_scores;
    case KvType::kQ4_0:
      break;
  }
  return codes.q4_scores;
}

HWY_INLINE const SumFunctions& SumFunctionsFor(KvType type, const CodeProducts& codes) {
  switch (type) {
    case KvType::kF32:
      return kSumFloats<float>;
    case KvType::kF16:
      return kSumFloats<hwy::float16_t>;
    case KvType::kBF16:
      return kSumFloats<hwy::bfloat16_t>;
    case KvType::kQ8_0:
      return codes.q8_sums;
    case KvType::kQ4_0:
      break;
  }
  return codes.q4_sums;
}

// Walks the tiles of a job.
class Walk {
 public:
  Walk(const AttendJob& job, const CodeProducts& codes)
      : job_(job),
        layout_(job.kv.layout),
        heads_(job.end_head - job.first_head),
        partial_floats_(PartialFloats(layout_.head_dim)),
        score_(ScoreFunctionsFor(layout_.types.k, codes)),
        sum_(SumFunctionsFor(layout_.types.v, codes)),
        lookahead_(job) {
    if (!job.prefetch.on) return;
    ahead_ = job.prefetch.hint == PrefetchHint::kL1 ? Ahead::kToL1 : Ahead::kToL2;
  }

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
  // One head of the tiles of a walk, a chunk at a time.
  void Head(int head, int64_t begin, int64_t end, float* partials) {
    const int blocks = QueryBlocks(job_.rows);
    const float* queries = job_.queries + int64_t{head} * blocks * layout_.head_dim * kQueryBlock;
    for (int64_t first = begin; first < end; first += kChunkTokens) {
      Chunk chunk;
      chunk.tokens = static_cast<int>(HWY_MIN(end - first, kChunkTokens));
      for (int tile = 0; tile < chunk.count(); ++tile) {
        chunk.tiles[tile] = job_.kv.Block(first / kTileTokens + tile) +
                            (job_.first_head + head) * layout_.head_bytes();
      }
      Ahead ahead = ahead_;  // for whoever comes first: the others find their tiles in the cache
      if (HWY_UNLIKELY(job_.touches != nullptr) &&
          job_.touches->Due(chunk.count() * layout_.head_bytes())) {
        ahead = Ahead::kTimed;
      }
      for (int row = 0; row < job_.rows; row += kQueryBlock) {
        Block(first, chunk, queries + int64_t{row} * layout_.head_dim, row, ahead,
              partials + row * partial_floats_);
      }
    }
  }

  // How much of a chunk a row attends to; may be negative.
  int64_t Visible(int row, int64_t first, int tokens) const {
    return HWY_MIN(job_.visible + row / job_.group - first, int64_t{tokens});
  }

  // A block of query rows: together where they see as much of the chunk, else one by one.
  void Block(int64_t first, Chunk chunk, const float* queries, int row, Ahead& ahead,
             float* partials) {
    const int rows = HWY_MIN(job_.rows - row, kQueryBlock);
    const int64_t least = Visible(row, first, chunk.tokens);
    const int64_t most = Visible(row + rows - 1, first, chunk.tokens);
    const int step = least == most ? rows : 1;
    for (int r = 0; r < rows; r += step) {
      const int64_t visible = Visible(row + r, first, chunk.tokens);
      if (visible <= 0) continue;
      Chunk seen = chunk;
      seen.tokens = static_cast<int>(visible);
      Rows(seen, queries, r, step, ahead, partials + r * partial_floats_);
      ahead = Ahead::kNothing;
    }
  }

  void Rows(const Chunk& chunk, const float* queries, int row, int rows, Ahead ahead,
            float* partials) {
    alignas(64) float scores[kQueryBlock * kChunkTokens];
    const auto which = static_cast<size_t>(ahead);
    score_[which][rows - 1](layout_, chunk, queries, row, lookahead_, scores);
    for (int r = 0; r < rows; ++r) {
      WeighChunk(chunk.tokens, layout_.head_dim, scores + r * kChunkTokens,
                 partials + r * partial_floats_);
    }
    sum_[which][rows - 1](layout_, chunk, scores, lookahead_, partials);
  }

  const AttendJob& job_;
  const KvLayout& layout_;
  int heads_;
  size_t partial_floats_;
  const ScoreFunctions& score_;
  const SumFunctions& sum_;
  Lookahead lookahead_;
  Ahead ahead_ = Ahead::kNothing;
};

void Attend(const AttendJob& job) { Walk(job, plain::kCodeProducts).Run(); }
#if HWY_TARGET == HWY_AVX3
void AttendVnni(const AttendJob& job) { Walk(job, vnni::kCodeProducts).Run(); }
#elif HWY_TARGET == HWY_NEON
void AttendDotprod(const AttendJob& job) { Walk(job, dotprod::kCodeProducts).Run(); }
void AttendI8mm(const AttendJob& job) { Walk(job, i8mm::kCodeProducts).Run(); }
#endif

void Fold(const float* partials, int64_t ranges, int64_t range_stride, int head_dim,
          float* folded) {
  for (int64_t range = 0; range < ranges; ++range) {
    const float* partial = partials + range * range_stride;
    float sums[kPartialSums];
    Store16(Load16(partial + head_dim), sums);
    const FoldFactors factors = FoldRange(scalar::FoldSums(sums), partial, head_dim, folded);
    for (int d = 0; d < head_dim; d += 16) {
      const Vec16 old = Mul16(ClampSum16(Load16(folded + d)), Set16(factors.old));
      Store16(MulAdd16(ClampSum16(Load16(partial + d)), Set16(factors.range), old), folded + d);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_ATTENTION_INL_H_
