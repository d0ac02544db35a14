// SPDX-License-Identifier: Apache-2.0
#include "model/output_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "model/dequantize.h"
#include "prefetch/instruction.h"

namespace bitfetch {
namespace {

// Rows that a thread takes at a time: enough to hide the hand-out, few enough to share the last
// ones evenly. Candidates are few.
constexpr int64_t kRowsAtATime = 64;
constexpr int64_t kCandidatesAtATime = 8;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Adds a value to a heap of the `count` largest, the least of them in front.
void KeepLargest(size_t count, double value, std::vector<double>* heap) {
  if (heap->size() == count) {
    if (value <= heap->front()) return;
    std::ranges::pop_heap(*heap, std::greater());
    heap->pop_back();
  }
  heap->push_back(value);
  std::ranges::push_heap(*heap, std::greater());
}

void PrefetchBytes(const std::byte* data, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kCacheLineBytes) PrefetchLine(data + i);
}

}  // namespace

OutputHead::OutputHead(const GgufTensor& output, const Kernels& kernels, ThreadPool& pool)
    : output_(output), kernels_(kernels), pool_(pool), largest_(pool.threads()) {
  if (!DenseRowsOf(output)) {
    dequantized_.assign(pool.threads(), std::vector<float>(kRowsAtATime * output.cols()));
  }
}

void OutputHead::All(const float* x, int64_t tokens, float* logits) {
  const int64_t vocab = output_.rows();
  const int64_t hidden = output_.cols();
  pool_.ParallelPieces(vocab, kRowsAtATime, [&](int64_t begin, int64_t end, int thread) {
    std::optional<DenseMatrix> rows = DenseRowsOf(output_, begin);
    if (!rows) {
      float* floats = dequantized_[thread].data();
      for (int64_t r = begin; r < end; ++r) {
        DequantizeRow(output_.type, output_.Row(r), hidden, floats + (r - begin) * hidden);
      }
      rows = {floats, DenseType::kF32, hidden};
    }
    for (int64_t t = 0; t < tokens; ++t) {
      kernels_.dense_matvec(*rows, 0, end - begin, x + t * hidden, logits + t * vocab + begin);
    }
  });
  bytes_read_ = static_cast<int64_t>(output_.data.size());
}

void OutputHead::Wanted(const float* x, const LogitsWanted& wanted, std::vector<Logit>* logits) {
  if (Screen(x, wanted)) return ComputeCandidates(x, logits);
  all_.resize(output_.rows());
  All(x, 1, all_.data());
  rows_computed_ = output_.rows();
  logits->resize(all_.size());
  for (size_t id = 0; id < all_.size(); ++id) (*logits)[id] = {static_cast<int>(id), all_[id]};
}

// Finds the rows that may be wanted; false if it can't, or all are.
bool OutputHead::Screen(const float* x, const LogitsWanted& wanted) {
  const int64_t vocab = output_.rows();
  if (!screen_ || wanted.top == 0 || wanted.top >= vocab) return false;
  if (!screen_->Prepare(x, &input_)) return false;

  const auto top = static_cast<size_t>(wanted.top);
  upper_.resize(vocab);
  for (std::vector<double>& heap : largest_) heap.clear();
  pool_.ParallelPieces(vocab, kRowsAtATime, [&](int64_t begin, int64_t end, int thread) {
    std::array<double, kRowsAtATime> lower;
    screen_->Bounds(kernels_, input_, begin, end, lower.data(), upper_.data() + begin);
    for (auto id = std::ranges::lower_bound(wanted.always, begin);
         id != wanted.always.end() && *id < end; ++id) {
      lower[*id - begin] = -kInfinity;
      upper_[*id] = kInfinity;
    }
    for (int64_t r = begin; r < end; ++r) KeepLargest(top, lower[r - begin], &largest_[thread]);
  });

  // As many logits are no less than the top-th largest lower bound.
  std::vector<double>& bounds = largest_[0];
  for (size_t i = 1; i < largest_.size(); ++i) {
    bounds.insert(bounds.end(), largest_[i].begin(), largest_[i].end());
  }
  const auto last = bounds.begin() + static_cast<ptrdiff_t>(top) - 1;
  std::ranges::nth_element(bounds, last, std::greater());
  const double threshold = std::nextafter(*last - wanted.margin, -kInfinity);
  candidates_.clear();
  for (int64_t id = 0; id < vocab; ++id) {
    if (upper_[id] >= threshold) candidates_.push_back(static_cast<int>(id));
  }
  return true;
}

void OutputHead::ComputeCandidates(const float* x, std::vector<Logit>* logits) {
  const auto count = static_cast<int64_t>(candidates_.size());
  logits->resize(count);
  pool_.ParallelPieces(count, kCandidatesAtATime, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end;) {
      int64_t run = 1;  // of neighbours
      while (i + run < end && candidates_[i + run] == candidates_[i] + run) ++run;
      if (i + run < count) {
        PrefetchBytes(output_.Row(candidates_[i + run]), output_.row_bytes());
      }
      std::array<float, kCandidatesAtATime> values;
      kernels_.dense_matvec(*DenseRowsOf(output_, candidates_[i]), 0, run, x, values.data());
      for (int64_t r = 0; r < run; ++r) (*logits)[i + r] = {candidates_[i + r], values[r]};
      i += run;
    }
  });
  rows_computed_ = count;
  bytes_read_ = screen_->bytes() + count * output_.row_bytes();
}

}  // namespace bitfetch
