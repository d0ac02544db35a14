// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

namespace bitfetch {
namespace {

int64_t RangesFor(int64_t tokens) { return (tokens + kRangeTokens - 1) / kRangeTokens; }

// [kv_heads][group][head_dim] to [kv_heads][head_dim][group], scaled so that weights are powers of
// two.
void PrepareQueries(const KvLayout& layout, int group, const float* from, float* to) {
  const int dims = layout.head_dim;
  const auto scale = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(dims)));
  for (int kv_head = 0; kv_head < layout.kv_heads; ++kv_head) {
    for (int q = 0; q < group; ++q) {
      for (int d = 0; d < dims; ++d) to[d * group + q] = from[q * dims + d] * scale;
    }
    from += int64_t{group} * dims;
    to += int64_t{group} * dims;
  }
}

}  // namespace

PrefetchPlan PlanAttention(const PrefetchSetting& setting, const MachineProfile& profile,
                           const KvLayout& layout, BlockPlacement placement, PageSize pages,
                           int group, int threads) {
  const auto block_bytes = static_cast<int64_t>(layout.block_bytes());
  const size_t query_heads = static_cast<size_t>(layout.kv_heads) * group;
  // Sums of V of every query head, read and written once a chunk, and the scores of one KV head.
  const size_t working_set =
      (query_heads * PartialFloats(layout.head_dim) + size_t{kChunkTokens} * group) * sizeof(float);
  return ResolvePrefetch(
      setting, profile,
      {.tile_bytes = static_cast<int64_t>(layout.head_bytes()),
       .run_bytes = placement == BlockPlacement::kShuffled ? block_bytes : PrefetchAccess::kNever,
       .pages = pages,
       .threads = threads,
       .working_set_bytes = static_cast<int64_t>(working_set),
       .max_streams = kChunkTiles});
}

void Attention::Run(const KvView& kv, int group, const float* queries, int64_t tokens,
                    int64_t distance_bytes, float* out) {
  for (Worker& worker : workers_) worker.scratch.resize(size_t{kChunkTokens} * group);
  const AttendJob job{.kv = kv, .end = kv.length, .group = group, .distance_bytes = distance_bytes};
  if (tokens == 1) {
    OneToken(job, queries, out);
  } else {
    Batch(job, queries, tokens, out);
  }
}

void Attention::OneToken(AttendJob job, const float* queries, float* out) {
  const KvLayout& layout = job.kv.layout;
  const int heads = layout.kv_heads * job.group;
  const int64_t partial_floats = PartialFloats(layout.head_dim);
  const int64_t ranges = RangesFor(job.end);
  Worker& shared = workers_[0];
  shared.queries.resize(size_t{1} * heads * layout.head_dim);
  shared.partials.resize(ranges * heads * partial_floats);
  PrepareQueries(layout, job.group, queries, shared.queries.data());
  job.queries = shared.queries.data();

  // Each thread takes neighbouring ranges, so that its prefetches run on from one to the next.
  const int64_t threads = pool_.threads();
  const auto attend = [&](int thread) {
    const int64_t first = ranges * thread / threads;
    const int64_t last = ranges * (thread + 1) / threads;
    AttendJob share = job;
    share.begin = first * kRangeTokens;
    share.end = std::min(last * kRangeTokens, job.end);
    share.partials = shared.partials.data() + first * heads * partial_floats;
    share.scratch = workers_[thread].scratch.data();
    if (first < last) kernels_.attend(share);
  };
  const auto fold = [&](int64_t head, int) {
    kernels_.fold(shared.partials.data() + head * partial_floats, ranges, heads * partial_floats,
                  layout.head_dim, out + head * layout.head_dim);
  };
  pool_.Run(attend);
  pool_.ParallelFor(heads, fold);
}

void Attention::Batch(const AttendJob& job, const float* queries, int64_t tokens, float* out) {
  const KvLayout& layout = job.kv.layout;
  const int heads = layout.kv_heads * job.group;
  const int64_t partial_floats = PartialFloats(layout.head_dim);
  const int64_t token_floats = int64_t{heads} * layout.head_dim;
  for (Worker& worker : workers_) {
    worker.queries.resize(token_floats);
    worker.partials.resize(RangesFor(job.end) * heads * partial_floats);
  }
  pool_.ParallelFor(tokens, [&](int64_t token, int thread) {
    Worker& worker = workers_[thread];
    PrepareQueries(layout, job.group, queries + token * token_floats, worker.queries.data());
    AttendJob share = job;
    share.end = job.end - tokens + token + 1;
    share.queries = worker.queries.data();
    share.partials = worker.partials.data();
    share.scratch = worker.scratch.data();
    kernels_.attend(share);
    for (int head = 0; head < heads; ++head) {
      kernels_.fold(worker.partials.data() + head * partial_floats, RangesFor(share.end),
                    heads * partial_floats, layout.head_dim,
                    out + token * token_floats + int64_t{head} * layout.head_dim);
    }
  });
}

}  // namespace bitfetch
