// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_FORWARD_H_
#define BITFETCH_MODEL_FORWARD_H_

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/logits.h"
#include "base/thread_pool.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"
#include "kv/kv_cache.h"
#include "model/huge_weights.h"
#include "model/model.h"
#include "model/output_head.h"
#include "model/rope_table.h"
#include "model/stage_profile.h"
#include "prefetch/cursor.h"
#include "prefetch/law.h"

namespace bitfetch {

// How the KV cache is fetched before it is needed.
struct ForwardPrefetch {
  PrefetchPlan in_kernel;  // by attention, some bytes ahead of itself (AttentionAccess)
  bool ahead = true;       // a stage ahead, while keys and values are computed
};

// Rows of a ternary product that a thread takes at a time.
int64_t ProductRowsAtATime(int64_t rows, int64_t tokens, int threads);

// Runs a model over tokens, at most kMaxBatch at once. The logits have the same bits however a text
// is cut into batches, whatever the ISA, the number of threads and the prefetch setting. Keeps the
// memory that the layers work in; the model, kernels and pool must outlive it.
class ForwardPass {
 public:
  static constexpr int64_t kMaxBatch = 64;

  ForwardPass(const Model& model, const Kernels& kernels, ThreadPool& pool,
              const ForwardPrefetch& prefetch);

  // Appends `tokens` (1 .. kMaxBatch) to `cache` and writes the logits of the last `logit_tokens`
  // of them, [logit_tokens] [vocab]. Errors: a token id that the vocabulary lacks; the cache is
  // full or out of memory; activations or logits that are not finite. Then the cache is as it was
  // before.
  Status Run(std::span<const int> tokens, KvCache& cache, int64_t logit_tokens, float* logits);

  // Those logits of the last token of the last Run that are wanted, by id, perhaps with others.
  // Reads the output head, or its screen and few rows. Errors: logits that are not finite.
  Status Logits(const LogitsWanted& wanted, std::vector<Logit>* logits);

  OutputHead& head() { return head_; }

  // From now on moves the model's weights to huge pages (HugeWeights), some after each run.
  void MoveWeights(int64_t from_bytes) { huge_.emplace(model_, pool_, from_bytes); }
  // Moves what is left of them at once.
  void FinishMoving() {
    if (huge_) huge_->Move(huge_->left());
  }
  const ForwardPrefetch& prefetch() const { return prefetch_; }
  void SetPrefetch(const ForwardPrefetch& prefetch) { prefetch_ = prefetch; }

  // Of all runs since the last reset.
  const StageProfile& profile() const { return profile_; }
  void ResetProfile() { profile_ = {}; }

 private:
  struct Product {
    TernaryRows weights;
    float* out;            // [tokens][rows]
    bool fetches = false;  // from `cursors_` between its rows
  };

  Status RunLayers(std::span<const int> tokens, KvCache& cache);
  Status RunAttention(int layer, int64_t tokens, KvCache& cache);
  void RunFeedForward(int layer, int64_t tokens);
  void NormAndQuantize(const float* x, const std::vector<float>& norm, int64_t size,
                       int64_t tokens);
  QuantizedRows Quantized(int64_t size, int64_t tokens) const;
  TernaryRows RowsOf(const TernaryMatrix& matrix) const;
  void Multiply(std::initializer_list<Product> products, int64_t tokens);
  void MultiplyRows(const Product& product, int64_t begin, int64_t end, const QuantizedRows& input,
                    int thread);
  Status AimCursors(int layer, const KvCache& cache);
  void CountFetched(KvCache& cache);
  void AddToResidual(int64_t tokens);
  const float* NormLast(int64_t count);
  Status LogitsNotFinite() const;

  const Model& model_;
  const Kernels& kernels_;
  ThreadPool& pool_;
  ForwardPrefetch prefetch_;
  RopeTable rope_;
  Attention attention_;
  OutputHead head_;
  std::optional<HugeWeights> huge_;
  StageProfile profile_;
  std::vector<PrefetchCursor> cursors_;  // [threads], or none
  size_t cursor_lines_ = 0;              // that all of them had
  size_t lines_a_step_ = 0;

  std::atomic<bool> finite_ = true;  // what was quantised in this run

  // Of a batch; [tokens] first everywhere.
  std::vector<float> residual_;    // [hidden]
  std::vector<float> normed_;      // [widest]
  std::vector<int8_t> quantized_;  // [widest, padded]
  std::vector<int32_t> sums_;
  std::vector<float> scales_;
  std::vector<float> q_, k_, v_;        // [heads or kv_heads][head_dim]
  std::vector<float> attended_;         // [heads][head_dim]
  std::vector<float> gate_, up_;        // [ffn]
  std::vector<float> projected_;        // [hidden]
  std::vector<float> cosines_, sines_;  // [head_dim / 2]
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_FORWARD_H_
