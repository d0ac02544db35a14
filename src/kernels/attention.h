// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_ATTENTION_H_
#define BITFETCH_KERNELS_ATTENTION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/attention_plan.h"
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

// Grouped-query causal attention of one layer over the KV caches of any number of sequences, shared
// out over a pool (AttentionPlan). Each row has the bits that it has alone, with any number of
// threads and any plan of prefetching. Keeps the memory that the kernels work in: of each row its
// queries and what its ranges have been folded into, and of ranges about a megabyte a thread.
class Attention {
 public:
  Attention(const Kernels& kernels, ThreadPool& pool)
      : kernels_(kernels),
        pool_(pool),
        begun_(static_cast<size_t>(pool.threads())),
        of_range_(pool.threads()) {}

  // Attends with all rows of the slices, at least one, and writes their `out`. The layouts of the
  // slices are the same; `group` query heads go to a KV head. Up to 16 rows of one sequence, or 32
  // of sequences that share blocks, cost a read of what they see and the arithmetic of each.
  void Run(std::span<const AttendSlice> slices, int group, const PrefetchPlan& prefetch);

  // What the last Run read of the caches.
  int64_t bytes_read() const;

  // Where each thread will begin to read in the Run of these slices, [threads]: tokens [begin, end)
  // of a slice, all heads of them, as far as they lie in front of its rows; nothing where begin is
  // end. For fetching ahead while keys and values of the rows are computed: needs no queries.
  struct Share {
    size_t slice = 0;
    int64_t begin = 0;
    int64_t end = 0;
  };
  std::vector<Share> FirstShares(std::span<const AttendSlice> slices, int group);

 private:
  struct ReadRow {
    size_t read;
    int64_t row;
  };

  void Begin(std::span<const AttendSlice> slices, int group);
  void MakeRoom();
  void Prepare(const ReadRow& of);
  void Attend(const AttentionPlan::Job& job, const PrefetchPlan& prefetch, int thread);
  void AttendByHead(const AttentionPlan::Read& read, const AttendJob& all, int thread);
  void Fold(int64_t row, int kv_head);
  void FoldRanges(const AttentionPlan::Read& read, int64_t i, int kv_head, int64_t begin,
                  int64_t end, const float* partials, int64_t range_stride);
  void Write(int64_t row, int kv_head);
  int64_t partial_floats() const { return static_cast<int64_t>(PartialFloats(layout_.head_dim)); }
  int64_t HeadAt(int64_t row, int head) const { return row * layout_.kv_heads * group_ + head; }
  float* Folded(int64_t row, int head) {
    return folded_.data() + HeadAt(row, head) * partial_floats();
  }

  const Kernels& kernels_;
  ThreadPool& pool_;
  std::vector<std::atomic<bool>> begun_;  // [threads] the first share of each
  AttentionPlan plan_;
  std::span<const AttendSlice> slices_;  // of this run, as what follows
  KvLayout layout_;
  int group_ = 1;
  std::vector<ReadRow> read_rows_;   // of all reads
  std::vector<int64_t> queries_at_;  // [reads] where in queries_
  std::vector<float> queries_;       // of each read: [kv_heads][QueryPanels][head_dim][kQueryPanel]
  std::vector<float> partials_;      // of a step (AttentionPlan::Part)
  std::vector<std::vector<float>> of_range_;  // [threads] of a range of a read by head
  std::vector<float> folded_;                 // [rows][heads][PartialFloats]
};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_ATTENTION_H_
