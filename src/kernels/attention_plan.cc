// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_plan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace bitfetch {
namespace {

constexpr int64_t kRangeTiles = kRangeTokens / kTileTokens;

// Rows that share a read at most: of one slice as many as keep a core at its arithmetic, of several
// more, so that a shared prefix is read once.
constexpr int64_t kReadRows = 16;
constexpr int64_t kSharedReadRows = 32;

// Reads of fewer rows are left to ranges, whose bytes are prefetched further on.
constexpr int64_t kRowsByHead = 8;

// With so many ranges to a share, or to a thread that reads for one row after the other, cuts
// between whole ranges are even enough.
constexpr int64_t kManyRanges = 16;

// Shares to a thread that are taken one by one: a thread that the system holds up, or whose core is
// slower, takes fewer.
constexpr int kSharesToTake = 4;

// Ranges of such a share at least, where one row reads them: along them prefetching runs on.
constexpr int64_t kRangesToTake = 4;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The blocks of the ranges that all rows of the slice see to the end.
std::span<const uint32_t> WholeRanges(const AttendSlice& slice) {
  const int64_t ranges = std::max<int64_t>(slice.Visible(0), 0) / kRangeTokens;
  return {slice.kv.blocks, static_cast<size_t>(ranges * kRangeTiles)};
}

bool Before(const AttendSlice& a, const AttendSlice& b) {
  if (a.kv.arena != b.kv.arena) return std::less<>()(a.kv.arena, b.kv.arena);
  return std::ranges::lexicographical_compare(WholeRanges(a), WholeRanges(b));
}

int64_t CommonRanges(const AttendSlice& a, const AttendSlice& b) {
  if (a.kv.arena != b.kv.arena) return 0;
  const auto blocks = WholeRanges(a);
  return (std::ranges::mismatch(blocks, WholeRanges(b)).in1 - blocks.begin()) / kRangeTiles;
}

}  // namespace

void AttentionPlan::Begin(std::span<const AttendSlice> slices, int group, int threads,
                          int64_t step_floats) {
  slices_ = slices;
  layout_ = slices.front().kv.layout;
  group_ = group;
  threads_ = threads;
  Sort();
  reads_.clear();
  AddReads(0, slices.size(), 0);
  ChooseByHead();
  // Steps of the same size: a short one at the end would leave threads without work.
  int64_t floats = 0;
  for (const Read& read : reads_) {
    floats += CeilDiv(read.end - read.begin, kRangeTokens) * RangeFloats(read);
  }
  const int64_t steps = std::max<int64_t>(CeilDiv(floats, step_floats), 1);
  step_floats_ = std::max<int64_t>(CeilDiv(floats, steps), 1);
  next_read_ = 0;
  next_begin_ = reads_.front().begin;
}

void AttentionPlan::Sort() {
  order_.resize(slices_.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::ranges::sort(order_, [&](size_t a, size_t b) { return Before(slices_[a], slices_[b]); });
  common_.assign(slices_.size(), 0);
  first_row_.assign(1, 0);
  rows_.clear();
  for (size_t i = 0; i < order_.size(); ++i) {
    const AttendSlice& slice = slices_[order_[i]];
    if (i > 0) common_[i] = CommonRanges(slices_[order_[i - 1]], slice);
    for (int64_t row = 0; row < slice.rows; ++row) rows_.push_back({order_[i], row});
    first_row_.push_back(static_cast<int64_t>(rows_.size()));
  }
}

// The reads of slices [first, last) in order, which share all ranges before `first_range`: what all
// of them share, then what some of them do, so that a row's ranges come in order.
void AttentionPlan::AddReads(size_t first, size_t last, int64_t first_range) {
  const int64_t begin = first_range * kRangeTokens;
  if (last - first == 1) {
    AddRead(first, last, begin, std::max(slices_[order_[first]].kv.length, begin));
    return;
  }
  const int64_t shared = *std::min_element(common_.begin() + static_cast<int64_t>(first) + 1,
                                           common_.begin() + static_cast<int64_t>(last));
  if (shared > first_range) AddRead(first, last, begin, shared * kRangeTokens);
  while (first < last) {
    size_t next = first + 1;
    while (next < last && common_[next] > shared) ++next;
    AddReads(first, next, shared);
    first = next;
  }
}

void AttentionPlan::AddRead(size_t first, size_t last, int64_t begin, int64_t end) {
  if (begin == end && begin > 0) return;  // an earlier read saw all
  const AttendSlice& slice = slices_[order_[first]];
  const int64_t rows = first_row_[last] - first_row_[first];
  const bool shared = last - first > 1;
  const int64_t pieces = CeilDiv(rows, shared ? kSharedReadRows : kReadRows);
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t from = rows * piece / pieces;
    const int64_t to = rows * (piece + 1) / pieces;
    const int64_t visible = shared ? end : slice.Visible(from);
    const int64_t seen = std::clamp(visible + to - from - 1, begin, end);
    reads_.push_back({.first_row = first_row_[first] + from,
                      .rows = to - from,
                      .slice = order_[first],
                      .begin = begin,
                      .end = seen,
                      .visible = visible,
                      .by_head = !shared && begin == 0 && seen > 0 && to - from >= kRowsByHead});
  }
}

// Only where heads alone make shares enough.
void AttentionPlan::ChooseByHead() {
  const auto reads = std::ranges::count_if(reads_, &Read::by_head);
  if (reads * layout_.kv_heads >= kSharesToTake * threads_) return;
  for (Read& read : reads_) read.by_head = false;
}

// Of partials.
int64_t AttentionPlan::RangeFloats(const Read& read) const {
  if (read.by_head) return 0;
  return layout_.kv_heads * read.rows * group_ *
         static_cast<int64_t>(PartialFloats(layout_.head_dim));
}

double AttentionPlan::Cost(const Read& read, int64_t begin, int64_t end) const {
  int64_t seen = read.rows * (end - begin);
  if (read.visible < end) {
    seen = 0;
    for (int64_t row = 0; row < read.rows; ++row) {
      seen += std::clamp<int64_t>(read.visible + row - begin, 0, end - begin);
    }
  }
  // A multiply-add of K and one of V take a vector unit as long as memory takes for half a byte.
  return static_cast<double>(CeilDiv(end - begin, kTileTokens) * layout_.head_bytes()) +
         static_cast<double>(seen * group_ * layout_.head_dim) / 2;
}

bool AttentionPlan::NextStep() {
  parts_.clear();
  floats_ = 0;
  while (next_read_ < reads_.size() && (floats_ < step_floats_ || parts_.empty())) {
    const Read& read = reads_[next_read_];
    const int64_t floats = RangeFloats(read);
    int64_t end = read.end;
    if (!read.by_head) {
      const int64_t room = std::max<int64_t>(CeilDiv(step_floats_ - floats_, floats), 1);
      end = std::min(next_begin_ + room * kRangeTokens, end);
    }
    parts_.push_back({next_read_, next_begin_, end, floats_});
    floats_ += CeilDiv(end - next_begin_, kRangeTokens) * floats;
    next_begin_ = end;
    if (end < read.end) break;
    if (++next_read_ < reads_.size()) next_begin_ = reads_[next_read_].begin;
  }
  if (parts_.empty()) return false;
  Share();
  return true;
}

AttentionPlan::Rows AttentionPlan::step_rows() const {
  Rows rows{static_cast<int64_t>(rows_.size()), 0};
  for (const Part& part : parts_) {
    const Read& read = reads_[part.read];
    if (read.by_head) continue;
    rows.begin = std::min(rows.begin, read.first_row);
    rows.end = std::max(rows.end, read.first_row + read.rows);
  }
  return rows;
}

// Cuts the step's ranges and heads, in the order of reading, into shares that cost as much.
void AttentionPlan::Share() {
  double total = 0;
  int64_t ranges = 0;
  bool together = false;
  for (const Part& part : parts_) {
    const Read& read = reads_[part.read];
    total += Cost(read, part.begin, part.end) * layout_.kv_heads;
    ranges += CeilDiv(part.end - part.begin, kRangeTokens);
    together |= read.rows > 1;
  }
  const int64_t enough = together ? kSharesToTake : ranges / (kRangesToTake * threads_);
  shares_ = threads_;
  if (threads_ > 1) shares_ *= static_cast<int>(std::clamp<int64_t>(enough, 1, kSharesToTake));
  const bool many = ranges >= kManyRanges * (together ? shares_ : threads_);
  jobs_.clear();
  starts_.assign(1, 0);
  double done = 0;
  for (size_t part = 0; part < parts_.size(); ++part) {
    const auto [index, first, last, partials] = parts_[part];
    const Read& read = reads_[index];
    // Between heads of a range where ranges are few. Elsewhere prefetching runs on.
    const int step = read.by_head || !many ? 1 : layout_.kv_heads;
    for (int64_t begin = first, end = first; begin < last; begin = end) {
      end = read.by_head ? last : std::min(begin + kRangeTokens, last);
      const double cost = Cost(read, begin, end);
      for (int head = 0; head < layout_.kv_heads;) {
        const auto share = static_cast<int>(starts_.size());
        int end_head = layout_.kv_heads;
        if (share < shares_) {
          const double steps = (total * share / shares_ - done) / (cost * step);
          const auto heads = static_cast<int64_t>(std::lround(std::max(steps, 0.0))) * step;
          end_head = static_cast<int>(std::min<int64_t>(head + heads, end_head));
        }
        if (end_head > head) AddJob({part, begin, end, head, end_head});
        done += cost * (end_head - head);
        head = end_head;
        if (head < layout_.kv_heads) starts_.push_back(jobs_.size());
      }
    }
  }
  starts_.resize(shares_ + 1, jobs_.size());
}

void AttentionPlan::AddJob(const Job& job) {
  if (jobs_.size() > starts_.back()) {
    Job& last = jobs_.back();
    const auto whole = [&](const Job& each) {
      return each.end_head - each.first_head == layout_.kv_heads;
    };
    if (last.part == job.part && whole(last) && whole(job)) {
      last.end = job.end;
      return;
    }
  }
  jobs_.push_back(job);
}

}  // namespace bitfetch
