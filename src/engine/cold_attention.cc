// SPDX-License-Identifier: Apache-2.0
#include "engine/cold_attention.h"

#include <algorithm>

#include "machine/clock.h"

namespace bitfetch {

ColdAttention::ColdAttention(const Kernels& kernels, ThreadPool& pool, const KvLayout& layout,
                             int group)
    : layout_(layout),
      group_(group),
      isa_(kernels.isa),
      threads_(pool.threads()),
      attention_(kernels, pool),
      queries_(static_cast<size_t>(layout.kv_heads) * group * layout.head_dim, 0.1f),
      out_(queries_.size()) {}

PrefetchAccess ColdAttention::Access(BlockPlacement placement, PageSize pages) const {
  return AttentionAccess(isa_, layout_, placement, pages, group_, threads_);
}

double ColdAttention::Time(std::span<const KvView> caches, const PrefetchPlan& plan) {
  const double begin = NowNs();
  for (const KvView& cache : caches) {
    const AttendSlice slice{.kv = cache, .queries = queries_.data(), .out = out_.data()};
    attention_.Run({&slice, 1}, group_, plan);
  }
  return NowNs() - begin;
}

double ColdAttention::Pass(std::span<const KvView> caches, const PrefetchPlan& plan) {
  double tokens = 0;
  for (const KvView& cache : caches) tokens += static_cast<double>(cache.length);
  const double bytes = static_cast<double>(layout_.block_bytes()) / kTileTokens * tokens;
  return bytes / std::max(Time(caches, plan), 1.0) * 1e9;
}

}  // namespace bitfetch
