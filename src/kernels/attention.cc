// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention_int.h"
#include "kernels/attention_math.h"

namespace bitfetch {
namespace {

int64_t RangesFor(int64_t tokens) { return (tokens + kRangeTokens - 1) / kRangeTokens; }

// Tokens of a batch that share a read of the cache: as many as keep a core at its arithmetic.
constexpr int64_t kPieceTokens = 16;

// The query rows of one KV head, `rows` of `group` to a token, as AttendJob has them. from:
// [group][head_dim], and the same of each next token `token_floats` on.
void PrepareQueries(const KvLayout& layout, int rows, int group, const float* from,
                    int64_t token_floats, float* to) {
  const int head_dim = layout.head_dim;
  const auto scale =
      static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(head_dim)));
  for (int row = 0; row < rows; ++row) {
    const float* query = from + row / group * token_floats + int64_t{row % group} * head_dim;
    float* block = to + int64_t{row / kQueryPanel} * head_dim * kQueryPanel;
    if (IsQuantized(layout.types.k)) {
      PrepareIntQuery(query, scale, head_dim, row % kQueryPanel, block);
      continue;
    }
    for (int d = 0; d < head_dim; ++d)
      block[d * kQueryPanel + row % kQueryPanel] = query[d] * scale;
  }
}

int64_t PreparedFloats(int head_dim, int rows) {
  return int64_t{QueryPanels(rows)} * head_dim * kQueryPanel;
}

// The end of folding: zeros where nothing was attended to.
void Normalize(const float* folded, int head_dim, float* out) {
  const float total = folded[head_dim];
  const float factor = total > 0.0f ? 1.0f / total : 0.0f;
  for (int d = 0; d < head_dim; ++d) out[d] = ClampSum(folded[d]) * factor;
}

}  // namespace

std::string AttentionName(Isa isa, KvTypes types) {
  return fmt::format("{} {}", IsaName(isa), KvTypesName(types));
}

PrefetchAccess AttentionAccess(Isa isa, const KvLayout& layout, BlockPlacement placement,
                               PageSize pages, int group, int threads) {
  const size_t query_heads = static_cast<size_t>(layout.kv_heads) * group;
  // Sums of V of every query head, read and written once a chunk, and the scores of a few.
  const size_t working_set =
      (query_heads * PartialFloats(layout.head_dim) + size_t{kChunkTokens} * kQueryPanel) *
      sizeof(float);
  return {.kernel = AttentionName(isa, layout.types),
          .value_bits =
              8 * static_cast<double>(layout.head_bytes()) / (2.0 * kTileTokens * layout.head_dim),
          .paged = placement == BlockPlacement::kShuffled,
          .pages = pages,
          .threads = threads,
          .working_set_bytes = static_cast<int64_t>(working_set),
          .max_streams = kMaxStreams};
}

void Attention::Run(const KvView& kv, int group, const float* queries, int64_t tokens,
                    const PrefetchPlan& prefetch, float* out) {
  if (tokens == 1) {
    OneToken(kv, group, queries, prefetch, out);
  } else {
    Batch(kv, group, queries, tokens, prefetch, out);
  }
}

Attention::Share Attention::ShareOf(int64_t length, int thread, int threads) {
  // Neighbouring ranges, so that a thread's prefetches run on from one to the next.
  const int64_t ranges = RangesFor(length);
  return {std::min(ranges * thread / threads * kRangeTokens, length),
          std::min(ranges * (thread + 1) / threads * kRangeTokens, length)};
}

void Attention::OneToken(const KvView& kv, int group, const float* queries,
                         const PrefetchPlan& prefetch, float* out) {
  const int head_dim = kv.layout.head_dim;
  const int heads = kv.layout.kv_heads * group;
  const int64_t partial_floats = PartialFloats(head_dim);
  const int64_t ranges = RangesFor(kv.length);
  const int64_t prepared = PreparedFloats(head_dim, group);
  queries_.resize(kv.layout.kv_heads * prepared);
  partials_.resize(ranges * heads * partial_floats);
  for (int head = 0; head < kv.layout.kv_heads; ++head) {
    PrepareQueries(kv.layout, group, group, queries + int64_t{head} * group * head_dim, 0,
                   queries_.data() + head * prepared);
  }

  const auto attend = [&](int thread) {
    const auto [begin, end] = ShareOf(kv.length, thread, pool_.threads());
    if (begin == end) return;
    kernels_.attend({.kv = kv,
                     .begin = begin,
                     .end = end,
                     .end_head = kv.layout.kv_heads,
                     .queries = queries_.data(),
                     .rows = group,
                     .group = group,
                     .visible = kv.length,
                     .prefetch = prefetch,
                     .partials = partials_.data() + begin / kRangeTokens * heads * partial_floats});
  };
  const auto fold = [&](int64_t head, int thread) {
    std::vector<float>& folded = workers_[thread].folded;
    folded.resize(partial_floats);
    InitPartial(folded.data(), head_dim);
    if (ranges > 0) {
      kernels_.fold(partials_.data() + head * partial_floats, ranges, heads * partial_floats,
                    head_dim, folded.data());
    }
    Normalize(folded.data(), head_dim, out + head * head_dim);
  };
  pool_.Run(attend);
  pool_.ParallelFor(heads, fold);
}

void Attention::Batch(const KvView& kv, int group, const float* queries, int64_t tokens,
                      const PrefetchPlan& prefetch, float* out) {
  const int kv_heads = kv.layout.kv_heads;
  const int64_t pieces = (tokens + kPieceTokens - 1) / kPieceTokens;
  // Last tokens first: they see most, and what is left for the end is short.
  pool_.ParallelFor(pieces * kv_heads, [&](int64_t i, int thread) {
    const int64_t first = (pieces - 1 - i / kv_heads) * kPieceTokens;
    const int head = static_cast<int>(i % kv_heads);
    const int64_t count = std::min(kPieceTokens, tokens - first);
    const int64_t visible = kv.length - tokens + first + 1;
    const int64_t offset = (first * kv_heads + head) * group * kv.layout.head_dim;
    BatchPiece({.kv = kv,
                .end = visible + count - 1,
                .first_head = head,
                .end_head = head + 1,
                .rows = static_cast<int>(count * group),
                .group = group,
                .visible = visible,
                .prefetch = prefetch},
               queries + offset, workers_[thread], out + offset);
  });
}

// queries, out: [group][head_dim] of the piece's first token; the next one's are a token further.
void Attention::BatchPiece(AttendJob job, const float* queries, Worker& worker, float* out) {
  const int head_dim = job.kv.layout.head_dim;
  const int64_t partial_floats = PartialFloats(head_dim);
  const int64_t token_floats = int64_t{job.kv.layout.kv_heads} * job.group * head_dim;
  worker.queries.resize(PreparedFloats(head_dim, job.rows));
  worker.partials.resize(job.rows * partial_floats);
  worker.folded.resize(job.rows * partial_floats);
  PrepareQueries(job.kv.layout, job.rows, job.group, queries, token_floats, worker.queries.data());
  job.queries = worker.queries.data();
  job.partials = worker.partials.data();
  for (int row = 0; row < job.rows; ++row) {
    InitPartial(worker.folded.data() + row * partial_floats, head_dim);
  }
  for (const int64_t end = job.end; job.begin < end; job.begin += kRangeTokens) {
    job.end = std::min(job.begin + kRangeTokens, end);
    kernels_.attend(job);
    for (int row = 0; row < job.rows; ++row) {
      if (job.visible + row / job.group <= job.begin) continue;
      kernels_.fold(worker.partials.data() + row * partial_floats, 1, 0, head_dim,
                    worker.folded.data() + row * partial_floats);
    }
  }
  for (int row = 0; row < job.rows; ++row) {
    Normalize(worker.folded.data() + row * partial_floats, head_dim,
              out + row / job.group * token_floats + int64_t{row % job.group} * head_dim);
  }
}

}  // namespace bitfetch
