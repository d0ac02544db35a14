// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "kernels/attention_int.h"
#include "kernels/attention_math.h"

namespace bitfetch {
namespace {

// What a step's partials take of a thread's L2.
constexpr int64_t kStepBytes = int64_t{1} << 20;

int64_t RangesFor(int64_t tokens) { return (tokens + kRangeTokens - 1) / kRangeTokens; }

// One query row [head_dim] of a KV head, as AttendJob has it in `queries` [panels][head_dim]
// [kQueryPanel].
void PrepareQuery(const KvLayout& layout, const float* query, int64_t row, float* queries) {
  const int head_dim = layout.head_dim;
  const auto scale =
      static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(head_dim)));
  float* panel = queries + row / kQueryPanel * head_dim * kQueryPanel;
  if (IsQuantized(layout.types.k)) {
    PrepareIntQuery(query, scale, head_dim, static_cast<int>(row % kQueryPanel), panel);
    return;
  }
  for (int d = 0; d < head_dim; ++d) panel[d * kQueryPanel + row % kQueryPanel] = query[d] * scale;
}

int64_t PreparedFloats(int head_dim, int64_t rows) {
  return int64_t{QueryPanels(static_cast<int>(rows))} * head_dim * kQueryPanel;
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

void Attention::Begin(std::span<const AttendSlice> slices, int group) {
  slices_ = slices;
  layout_ = slices.front().kv.layout;
  group_ = group;
  plan_.Begin(slices, group, pool_.threads(),
              kStepBytes / int64_t{sizeof(float)} * pool_.threads());
}

std::vector<Attention::Share> Attention::FirstShares(std::span<const AttendSlice> slices,
                                                     int group) {
  Begin(slices, group);
  plan_.NextStep();
  std::vector<Share> shares(pool_.threads());
  for (int thread = 0; thread < pool_.threads(); ++thread) {
    for (const AttentionPlan::Job& job : plan_.Jobs(thread)) {
      if (job.end_head - job.first_head < layout_.kv_heads) continue;
      const size_t slice = plan_.reads()[plan_.parts()[job.part].read].slice;
      const int64_t stored = slices[slice].Visible(0) - 1;
      shares[thread] = {slice, job.begin, std::clamp(stored, job.begin, job.end)};
      break;
    }
  }
  return shares;
}

void Attention::Run(std::span<const AttendSlice> slices, int group, const PrefetchPlan& prefetch) {
  Begin(slices, group);
  MakeRoom();
  pool_.ParallelFor(static_cast<int64_t>(read_rows_.size()),
                    [&](int64_t i, int) { Prepare(read_rows_[i]); });
  while (plan_.NextStep()) {
    // Never shrinks: growing again would fill it with zeros.
    partials_.resize(std::max(partials_.size(), static_cast<size_t>(plan_.floats())));
    // Each thread begins with its own share, which was fetched ahead for it; in the end those of
    // threads that have not come are taken too.
    std::fill(begun_.begin(), begun_.end(), false);
    std::atomic<int> next = pool_.threads();
    pool_.RunAny([&](int thread) {
      const auto attend = [&](int share) {
        for (const AttentionPlan::Job& job : plan_.Jobs(share)) Attend(job, prefetch, thread);
      };
      const auto begin = [&](int share) {
        if (share < plan_.shares() && !begun_[share].exchange(true)) attend(share);
      };
      begin(thread);
      for (int share; (share = next.fetch_add(1)) < plan_.shares();) attend(share);
      for (int share = 0; share < pool_.threads(); ++share) begin(share);
    });
    const auto [first, end] = plan_.step_rows();
    pool_.ParallelFor((end - first) * layout_.kv_heads, [&, first = first](int64_t i, int) {
      Fold(first + i / layout_.kv_heads, static_cast<int>(i % layout_.kv_heads));
    });
  }
}

int64_t Attention::bytes_read() const {
  int64_t tiles = 0;
  for (const AttentionPlan::Read& read : plan_.reads()) {
    tiles += (read.end - read.begin + kTileTokens - 1) / kTileTokens;
  }
  return tiles * static_cast<int64_t>(layout_.block_bytes());
}

void Attention::MakeRoom() {
  read_rows_.clear();
  queries_at_.clear();
  int64_t floats = 0;
  for (size_t read = 0; read < plan_.reads().size(); ++read) {
    const int64_t rows = plan_.reads()[read].rows;
    for (int64_t row = 0; row < rows; ++row) read_rows_.push_back({read, row});
    queries_at_.push_back(floats);
    floats += layout_.kv_heads * PreparedFloats(layout_.head_dim, rows * group_);
  }
  queries_.resize(floats);
  folded_.resize(plan_.rows().size() * layout_.kv_heads * group_ * PartialFloats(layout_.head_dim));
}

// Its queries, and nothing folded where the read is its first.
void Attention::Prepare(const ReadRow& of) {
  const AttentionPlan::Read& read = plan_.reads()[of.read];
  const auto [slice, index] = plan_.rows()[read.first_row + of.row];
  const int64_t head_floats = PreparedFloats(layout_.head_dim, read.rows * group_);
  for (int head = 0; head < layout_.kv_heads * group_; ++head) {
    const int64_t row = of.row * group_ + head % group_;
    PrepareQuery(layout_, slices_[slice].queries + HeadAt(index, head) * layout_.head_dim, row,
                 queries_.data() + queries_at_[of.read] + head / group_ * head_floats);
    if (read.begin == 0) InitPartial(Folded(read.first_row + of.row, head), layout_.head_dim);
  }
}

void Attention::Attend(const AttentionPlan::Job& job, const PrefetchPlan& prefetch, int thread) {
  const AttentionPlan::Part& part = plan_.parts()[job.part];
  const AttentionPlan::Read& read = plan_.reads()[part.read];
  const int64_t rows = read.rows * group_;
  AttendJob attend{.kv = slices_[read.slice].kv,
                   .begin = job.begin,
                   .end = job.end,
                   .first_head = job.first_head,
                   .end_head = job.end_head,
                   .queries = queries_.data() + queries_at_[part.read] +
                              job.first_head * PreparedFloats(layout_.head_dim, rows),
                   .rows = static_cast<int>(rows),
                   .group = group_,
                   .visible = read.visible,
                   .prefetch = prefetch};
  if (read.by_head) return AttendByHead(read, attend, thread);
  const int64_t before = (job.begin - part.begin) / kRangeTokens * layout_.kv_heads;
  attend.partials =
      partials_.data() + part.partials + (before + job.first_head) * rows * partial_floats();
  kernels_.attend(attend);
}

void Attention::AttendByHead(const AttentionPlan::Read& read, const AttendJob& all, int thread) {
  std::vector<float>& partials = of_range_[thread];
  partials.resize(all.rows * partial_floats());
  AttendJob job = all;
  job.partials = partials.data();
  for (int head = all.first_head; head < all.end_head; ++head) {
    job.first_head = head;
    job.end_head = head + 1;
    for (job.begin = all.begin; job.begin < all.end; job.begin += kRangeTokens) {
      job.end = std::min(job.begin + kRangeTokens, all.end);
      kernels_.attend(job);
      for (int64_t i = 0; i < read.rows; ++i) {
        FoldRanges(read, i, head, job.begin, job.end, job.partials, 0);
      }
    }
    for (int64_t i = 0; i < read.rows; ++i) Write(read.first_row + i, head);
    job.queries += PreparedFloats(layout_.head_dim, all.rows);
  }
}

// Folds what the step left of one KV head of a row, and writes what it comes to so far.
void Attention::Fold(int64_t row, int kv_head) {
  for (const AttentionPlan::Part& part : plan_.parts()) {
    const AttentionPlan::Read& read = plan_.reads()[part.read];
    const int64_t i = row - read.first_row;
    if (read.by_head || i < 0 || i >= read.rows || part.begin == part.end) continue;
    const int64_t head_floats = read.rows * group_ * partial_floats();
    FoldRanges(read, i, kv_head, part.begin, part.end,
               partials_.data() + part.partials + kv_head * head_floats,
               layout_.kv_heads * head_floats);
  }
  Write(row, kv_head);
}

// Folds what row `i` of a read sees of tokens [begin, end). partials: of the read's first row.
void Attention::FoldRanges(const AttentionPlan::Read& read, int64_t i, int kv_head, int64_t begin,
                           int64_t end, const float* partials, int64_t range_stride) {
  const int64_t ranges = RangesFor(std::min(read.visible + i, end) - begin);
  if (ranges <= 0) return;
  for (int head = 0; head < group_; ++head) {
    kernels_.fold(partials + (i * group_ + head) * partial_floats(), ranges, range_stride,
                  layout_.head_dim, Folded(read.first_row + i, kv_head * group_ + head));
  }
}

void Attention::Write(int64_t row, int kv_head) {
  const auto [slice, index] = plan_.rows()[row];
  for (int head = kv_head * group_; head < (kv_head + 1) * group_; ++head) {
    Normalize(Folded(row, head), layout_.head_dim,
              slices_[slice].out + HeadAt(index, head) * layout_.head_dim);
  }
}

}  // namespace bitfetch
