// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_OUTPUT_HEAD_H_
#define BITFETCH_MODEL_OUTPUT_HEAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/logits.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/gguf_reader.h"
#include "model/head_screen.h"

namespace bitfetch {

// Tokens of which all logits are wanted.
struct HeadRows {
  const float* x = nullptr;  // [count][hidden]
  int64_t count = 1;
  float* logits = nullptr;  // out: [count][vocab]
};

// Which logits of one token are wanted, and where to put them.
struct HeadQuery {
  const float* x = nullptr;  // [hidden]
  LogitsWanted wanted = {};
  std::vector<Logit>* logits = nullptr;  // out: by id, perhaps with some that nobody asked for
};

// The last product of a forward pass: logits = output [vocab][hidden] times x. A logit has the same
// bits, however it was asked for. The tensor, kernels and pool must outlive it.
class OutputHead {
 public:
  // `groups`: the tensor as kernels read it, if it is ternary by group, and how they fetch it.
  OutputHead(const GgufTensor& output, const Kernels& kernels, ThreadPool& pool,
             const TernaryGroups* groups = nullptr, const PrefetchPlan& groups_prefetch = {});

  // From now on Wanted() screens with this copy of the same tensor.
  void SetScreen(std::shared_ptr<const HeadScreen> screen) { screen_ = std::move(screen); }

  // All logits of these tokens. Reads the whole head once.
  void All(std::span<const HeadRows> all);

  // The wanted logits of each query. With a screen reads that, once for kScreenedTogether of them,
  // and of the head only the rows that may be wanted; without, or where all are wanted, the head,
  // once for all.
  void Wanted(std::span<const HeadQuery> queries);
  static constexpr size_t kScreenedTogether = HeadScreen::kMaxTokens;

  // How many rows of the head the last Wanted() computed, for all queries together.
  int64_t rows_computed() const { return rows_computed_; }
  // What the last All() or Wanted() read.
  int64_t bytes_read() const { return bytes_read_; }

 private:
  using ValueOfRow = std::pair<double, int>;

  // A query that is screened: its input to the screen, and what that makes of it.
  struct Screened {
    const HeadQuery* query = nullptr;
    HeadScreen::Input input = {};
    std::vector<double> sums = {};                      // [vocab]
    std::vector<double> upper = {};                     // [vocab]
    std::vector<std::vector<ValueOfRow>> largest = {};  // [threads] as heaps
    double threshold = 0;                               // what no wanted logit is below
    std::vector<std::vector<int>> found = {};           // [threads]
    std::vector<int> candidates = {};
  };

  bool CanScreen(const HeadQuery& query, Screened* screened) const;
  void Screen(std::span<Screened> all);
  void BoundRows(std::span<Screened> all, int64_t begin, int64_t end, int thread);
  void FindThreshold(Screened& screened);
  void Refine(std::span<Screened> all);
  int64_t RefineRows(std::span<Screened> all, int64_t begin, int64_t end, int thread);
  void ComputeCandidates(std::span<Screened> all);
  void AllByGroup(std::span<const HeadRows> all);
  void ComputeAll(std::span<const HeadQuery* const> queries);

  const GgufTensor& output_;
  const Kernels& kernels_;
  ThreadPool& pool_;
  std::optional<TernaryGroups> groups_;
  std::shared_ptr<const HeadScreen> screen_;
  int64_t rows_computed_ = 0;
  int64_t bytes_read_ = 0;

  std::vector<std::vector<float>> dequantized_;  // [threads that came] rows of a quantised head
  // Of tokens that meet a head which is ternary by group.
  std::vector<int8_t> values_;
  std::vector<float> scales_;
  std::vector<int32_t> offsets_;
  std::vector<float> all_;          // [queries without a screen][vocab]
  std::vector<Screened> screened_;  // [kScreenedTogether] at most
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_OUTPUT_HEAD_H_
