// SPDX-License-Identifier: Apache-2.0
#include "model/output_head.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "model/dequantize.h"
#include "prefetch/instruction.h"

namespace bitfetch {
namespace {

// Rows of which a thread takes some at a time.
constexpr int64_t kRowsAtATime = HeadScreen::kMaskRows;
constexpr int64_t kCandidatesAtATime = 8;

// Where four bits leave more rows of so many open, all are read: gaps in a stream cost more.
constexpr int kFewOpen = kRowsAtATime / 4;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Adds a value and its row to a heap of the `count` largest, the least of them in front.
void KeepLargest(size_t count, std::pair<double, int> value,
                 std::vector<std::pair<double, int>>* heap) {
  if (heap->size() == count) {
    if (value <= heap->front()) return;
    std::ranges::pop_heap(*heap, std::greater());
    heap->pop_back();
  }
  heap->push_back(value);
  std::ranges::push_heap(*heap, std::greater());
}

// The ids between two that are wanted whatever their logits.
std::span<const int> AlwaysOf(const LogitsWanted& wanted, int64_t begin, int64_t end) {
  const auto first = std::ranges::lower_bound(wanted.always, begin);
  return {first, std::ranges::lower_bound(first, wanted.always.end(), end)};
}

// Which of kMaxRows rows, a bit each.
using RowMask = std::array<uint64_t, HeadScreen::kMaxRows / kRowsAtATime>;

int64_t Count(const RowMask& rows) {
  int64_t count = 0;
  for (const uint64_t some : rows) count += std::popcount(some);
  return count;
}

// The bits of word i that stand for any of so many rows.
uint64_t AllOf(size_t i, int64_t rows) {
  const int64_t left = rows - static_cast<int64_t>(i) * kRowsAtATime;
  return left >= kRowsAtATime ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
}

// Whose bounds are no less.
RowMask RowsReaching(std::span<const double> upper, double threshold) {
  RowMask rows = {};
  for (size_t i = 0; i * kRowsAtATime < upper.size(); ++i) {
    const std::span some = upper.subspan(
        i * kRowsAtATime, std::min<size_t>(kRowsAtATime, upper.size() - i * kRowsAtATime));
    // Where none is, as in most, this is all, many at a time.
    bool any = false;
    for (const double bound : some) any |= bound >= threshold;
    if (!any) continue;
    for (size_t r = 0; r < some.size(); ++r) rows[i] |= uint64_t{some[r] >= threshold} << r;
  }
  return rows;
}

}  // namespace

OutputHead::OutputHead(const GgufTensor& output, const Kernels& kernels, ThreadPool& pool,
                       const TernaryGroups* groups, const PrefetchPlan& groups_prefetch)
    : output_(output), kernels_(kernels), pool_(pool), dequantized_(pool.threads()) {
  if (groups != nullptr) {
    groups_ = *groups;
    groups_->prefetch = groups_prefetch;
  }
}

void OutputHead::All(std::span<const HeadRows> all) {
  if (groups_) return AllByGroup(all);
  const int64_t vocab = output_.rows();
  const int64_t hidden = output_.cols();
  std::vector<DenseToken> tokens;
  for (const HeadRows& some : all) {
    for (int64_t t = 0; t < some.count; ++t) {
      tokens.push_back({some.x + t * hidden, some.logits + t * vocab});
    }
  }
  const auto count = static_cast<int64_t>(tokens.size());
  bytes_read_ = static_cast<int64_t>(output_.data.size());
  if (const std::optional<DenseMatrix> rows = DenseRowsOf(output_)) {
    pool_.ParallelRuns(vocab, kRowsAtATime, [&](int64_t begin, int64_t end, int) {
      kernels_.dense_matmul(*rows, begin, end, tokens.data(), count);
    });
    return;
  }
  pool_.ParallelPieces(vocab, kRowsAtATime, [&](int64_t begin, int64_t end, int thread) {
    dequantized_[thread].resize(kRowsAtATime * hidden);
    float* floats = dequantized_[thread].data();
    for (int64_t r = begin; r < end; ++r) {
      DequantizeRow(output_.type, output_.Row(r), hidden, floats + (r - begin) * hidden);
    }
    std::vector<DenseToken> here = tokens;
    for (DenseToken& token : here) token.out += begin;
    kernels_.dense_matmul({floats, DenseType::kF32, hidden}, 0, end - begin, here.data(), count);
  });
}

void OutputHead::AllByGroup(std::span<const HeadRows> all) {
  const int64_t vocab = output_.rows();
  const int64_t hidden = output_.cols();
  const int64_t groups = hidden / kQuantizedGroup;
  std::vector<const float*> tokens;
  for (const HeadRows& some : all) {
    for (int64_t t = 0; t < some.count; ++t) tokens.push_back(some.x + t * hidden);
  }
  values_.resize(tokens.size() * hidden);
  scales_.resize(tokens.size() * groups);
  offsets_.resize(scales_.size());
  pool_.ParallelFor(static_cast<int64_t>(tokens.size()), [&](int64_t t, int) {
    kernels_.quantize_groups(tokens[t], hidden, values_.data() + t * hidden,
                             scales_.data() + t * groups, offsets_.data() + t * groups);
  });
  pool_.ParallelRuns(vocab, kRowsAtATime, [&](int64_t begin, int64_t end, int) {
    int64_t first = 0;
    for (const HeadRows& some : all) {
      const QuantizedGroups x{values_.data() + first * hidden, scales_.data() + first * groups,
                              offsets_.data() + first * groups, some.count, hidden};
      kernels_.ternary_groups_matmul(*groups_, begin, end, x, some.logits, vocab);
      first += some.count;
    }
  });
  bytes_read_ = groups_->bytes();
}

void OutputHead::Wanted(std::span<const HeadQuery> queries) {
  rows_computed_ = 0;
  int64_t bytes = 0;
  std::vector<const HeadQuery*> whole;
  size_t count = 0;
  const auto compute_screened = [&] {
    if (count == 0) return;
    const std::span<Screened> all = std::span(screened_).first(count);
    Screen(all);
    Refine(all);
    ComputeCandidates(all);
    bytes += bytes_read_;
    count = 0;
  };
  for (const HeadQuery& query : queries) {
    if (count == screened_.size() && count < kScreenedTogether) screened_.emplace_back();
    if (!CanScreen(query, &screened_[count])) {
      whole.push_back(&query);
    } else if (++count == kScreenedTogether) {
      compute_screened();
    }
  }
  compute_screened();
  if (!whole.empty()) {
    ComputeAll(whole);
    bytes += bytes_read_;
  }
  bytes_read_ = bytes;
}

void OutputHead::ComputeAll(std::span<const HeadQuery* const> queries) {
  const int64_t vocab = output_.rows();
  all_.resize(queries.size() * vocab);
  std::vector<HeadRows> rows;
  for (size_t i = 0; i < queries.size(); ++i) {
    rows.push_back({.x = queries[i]->x, .logits = all_.data() + i * vocab});
  }
  All(rows);
  for (size_t i = 0; i < queries.size(); ++i) {
    std::vector<Logit>& logits = *queries[i]->logits;
    logits.resize(vocab);
    for (int64_t id = 0; id < vocab; ++id) {
      logits[id] = {static_cast<int>(id), all_[i * vocab + id]};
    }
    rows_computed_ += vocab;
  }
}

// False if nothing can be said of its logits, or all are wanted.
bool OutputHead::CanScreen(const HeadQuery& query, Screened* screened) const {
  const int64_t top = query.wanted.top;
  if (!screen_ || top == 0 || top >= output_.rows()) return false;
  screened->query = &query;
  return screen_->Prepare(query.x, &screened->input);
}

// Bounds every logit from four bits, and finds what no wanted one is below.
void OutputHead::Screen(std::span<Screened> all) {
  const int64_t vocab = output_.rows();
  for (Screened& one : all) {
    one.sums.resize(vocab);
    one.upper.resize(vocab);
    one.largest.resize(pool_.threads());
    for (std::vector<ValueOfRow>& heap : one.largest) heap.clear();
  }
  const int64_t at_once = HeadScreen::kMaxRows / static_cast<int64_t>(all.size());
  pool_.ParallelRuns(vocab, kRowsAtATime, [&](int64_t first, int64_t last, int thread) {
    for (; first < last; first += at_once) {
      BoundRows(all, first, std::min(first + at_once, last), thread);
    }
  });
  for (Screened& one : all) FindThreshold(one);
}

void OutputHead::BoundRows(std::span<Screened> all, int64_t begin, int64_t end, int thread) {
  std::array<double, HeadScreen::kMaxRows> values;
  std::array<HeadScreen::Token, kScreenedTogether> tokens;
  for (size_t i = 0; i < all.size(); ++i) {
    tokens[i] = {&all[i].input, all[i].sums.data() + begin, values.data() + i * (end - begin),
                 all[i].upper.data() + begin};
  }
  screen_->Bounds(kernels_, begin, end, std::span(tokens).first(all.size()));
  for (size_t i = 0; i < all.size(); ++i) {
    Screened& one = all[i];
    for (const int id : AlwaysOf(one.query->wanted, begin, end)) {
      tokens[i].value[id - begin] = -kInfinity;
      one.upper[id] = kInfinity;
    }
    for (int64_t r = begin; r < end; ++r) {
      KeepLargest(static_cast<size_t>(one.query->wanted.top),
                  {tokens[i].value[r - begin], static_cast<int>(r)}, &one.largest[thread]);
    }
  }
}

// At least `top` logits are no less than the least of as many: of those that look largest.
void OutputHead::FindThreshold(Screened& screened) {
  const LogitsWanted& wanted = screened.query->wanted;
  std::vector<ValueOfRow>& largest = screened.largest[0];
  for (size_t i = 1; i < screened.largest.size(); ++i) {
    largest.insert(largest.end(), screened.largest[i].begin(), screened.largest[i].end());
  }
  const auto last = largest.begin() + static_cast<ptrdiff_t>(wanted.top) - 1;
  std::ranges::nth_element(largest, last, std::greater());
  if (last->first == -kInfinity) {
    screened.threshold = -kInfinity;
    return;
  }
  pool_.ParallelPieces(wanted.top, kCandidatesAtATime, [&](int64_t begin, int64_t end, int) {
    for (auto& [value, row] : std::span(largest).subspan(begin, end - begin)) {
      float logit;
      const DenseToken token{screened.query->x, &logit};
      kernels_.dense_matmul(*DenseRowsOf(output_, row), 0, 1, &token, 1);
      value = logit;
    }
  });
  const double least = std::min_element(largest.begin(), last + 1)->first;
  screened.threshold = std::nextafter(least - wanted.margin, -kInfinity);
}

// Finds the rows that may be wanted: from more bits, where fewer leave that open.
void OutputHead::Refine(std::span<Screened> all) {
  const int64_t vocab = output_.rows();
  for (Screened& one : all) {
    one.candidates.clear();
    one.found.resize(pool_.threads());
    for (std::vector<int>& ids : one.found) ids.clear();
  }
  std::atomic<int64_t> bytes = vocab * screen_->row_bytes(0);
  pool_.ParallelRuns(vocab, kRowsAtATime, [&](int64_t first, int64_t last, int thread) {
    for (; first < last; first += HeadScreen::kMaxRows) {
      bytes += RefineRows(all, first, std::min(first + HeadScreen::kMaxRows, last), thread);
    }
  });
  for (Screened& one : all) {
    for (const std::vector<int>& ids : one.found) {
      one.candidates.insert(one.candidates.end(), ids.begin(), ids.end());
    }
    std::ranges::sort(one.candidates);
  }
  bytes_read_ = bytes;
}

// Returns how many bytes that read.
int64_t OutputHead::RefineRows(std::span<Screened> all, int64_t begin, int64_t end, int thread) {
  std::array<RowMask, kScreenLevelCount> any_read = {};
  for (Screened& one : all) {
    const std::span upper(one.upper.data() + begin, one.upper.data() + end);
    std::array<double, HeadScreen::kMaxRows> values;
    RowMask open = RowsReaching(upper, one.threshold);
    for (int level = 1; level < kScreenLevelCount && Count(open) > 0; ++level) {
      RowMask read = open;
      for (size_t i = 0; i < read.size(); ++i) {
        if (std::popcount(open[i]) > kFewOpen) read[i] = AllOf(i, end - begin);
        any_read[level][i] |= read[i];
      }
      screen_->Refine(kernels_, level, begin, read,
                      {&one.input, one.sums.data() + begin, values.data(), upper.data()});
      for (const int id : AlwaysOf(one.query->wanted, begin, end)) upper[id - begin] = kInfinity;
      const RowMask reach = RowsReaching(upper, one.threshold);
      for (size_t i = 0; i < open.size(); ++i) open[i] &= reach[i];
    }
    for (size_t i = 0; i < open.size(); ++i) {
      for (uint64_t left = open[i]; left != 0; left &= left - 1) {
        one.found[thread].push_back(
            static_cast<int>(begin + i * kRowsAtATime + std::countr_zero(left)));
      }
    }
  }
  int64_t bytes = 0;
  for (int level = 1; level < kScreenLevelCount; ++level) {
    const int64_t rows = Count(any_read[level]);
    if (rows > 0) bytes += rows * screen_->row_bytes(level);
  }
  return bytes;
}

void OutputHead::ComputeCandidates(std::span<Screened> all) {
  for (const Screened& one : all) {
    const std::vector<int>& candidates = one.candidates;
    const auto count = static_cast<int64_t>(candidates.size());
    std::vector<Logit>& logits = *one.query->logits;
    logits.resize(count);
    pool_.ParallelPieces(count, kCandidatesAtATime, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end;) {
        int64_t run = 1;  // of neighbours
        while (i + run < end && candidates[i + run] == candidates[i] + run) ++run;
        if (i + run < count) {
          PrefetchBytes(output_.Row(candidates[i + run]), output_.row_bytes());
        }
        std::array<float, kCandidatesAtATime> values;
        const DenseToken token{one.query->x, values.data()};
        kernels_.dense_matmul(*DenseRowsOf(output_, candidates[i]), 0, run, &token, 1);
        for (int64_t r = 0; r < run; ++r) logits[i + r] = {candidates[i + r], values[r]};
        i += run;
      }
    });
    rows_computed_ += count;
    bytes_read_ += count * output_.row_bytes();
  }
}

}  // namespace bitfetch
