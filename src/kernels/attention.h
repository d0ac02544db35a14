// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_ATTENTION_H_
#define BITFETCH_KERNELS_ATTENTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kv/block_pool.h"
#include "kv/tile.h"
#include "prefetch/law.h"

namespace bitfetch {

// Attention over these types on that ISA as the machine profile names it: "avx2 f16".
std::string AttentionName(Isa isa, KvTypes types);

// Tiles that attention walks in turn at most, each a stream to prefetch along.
inline constexpr int kMaxStreams = kRangeTokens / kTileTokens;

// How attention walks blocks of this layout: what the prefetch law is to be asked with.
PrefetchAccess AttentionAccess(Isa isa, const KvLayout& layout, BlockPlacement placement,
                               PageSize pages, int group, int threads);

// Grouped-query causal attention of one layer over its KV cache, shared out over a pool: for one
// token, the ranges of what is stored; for a batch, its heads and every sixteen of its tokens. The
// result has the same bits either way, with any number of threads and any plan. Keeps the memory
// that the kernels work in: for a batch never more than a few tokens' scores.
class Attention {
 public:
  Attention(const Kernels& kernels, ThreadPool& pool)
      : kernels_(kernels), pool_(pool), workers_(pool.threads()) {}

  // queries, out: [tokens][kv_heads * group * head_dim]. The tokens are the last ones of the view:
  // the i-th attends to the first `kv.length - tokens + i + 1`. Costs a read of the view for every
  // sixteen tokens, and the arithmetic of what each of them sees.
  void Run(const KvView& kv, int group, const float* queries, int64_t tokens,
           const PrefetchPlan& prefetch, float* out);

  // Which tokens `thread` of `threads` reads of a cache of `length`, for one token: whole ranges.
  struct Share {
    int64_t begin;
    int64_t end;
  };
  static Share ShareOf(int64_t length, int thread, int threads);

 private:
  struct Worker {
    std::vector<float> queries;   // [QueryPanels][head_dim][kQueryPanel]
    std::vector<float> partials;  // [rows][PartialFloats]
    std::vector<float> folded;    // [rows][PartialFloats]
  };

  void OneToken(const KvView& kv, int group, const float* queries, const PrefetchPlan& prefetch,
                float* out);
  void Batch(const KvView& kv, int group, const float* queries, int64_t tokens,
             const PrefetchPlan& prefetch, float* out);
  void BatchPiece(AttendJob job, const float* queries, Worker& worker, float* out);

  const Kernels& kernels_;
  ThreadPool& pool_;
  std::vector<Worker> workers_;  // [threads]
  std::vector<float> queries_;   // of one token: [kv_heads][QueryPanels][head_dim][kQueryPanel]
  std::vector<float> partials_;  // of one token: [ranges][heads][PartialFloats]
};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_ATTENTION_H_
