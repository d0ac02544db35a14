// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_FORWARD_H_
#define BITFETCH_MODEL_FORWARD_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"
#include "kernels/weights_access.h"
#include "kv/kv_cache.h"
#include "model/huge_weights.h"
#include "model/model.h"
#include "model/products.h"
#include "model/row_batch.h"
#include "model/stage_profile.h"
#include "prefetch/cursor.h"
#include "prefetch/law.h"
#include "prefetch/plan_watch.h"

namespace bitfetch {

// How the KV cache and the weights are fetched before they are needed.
struct ForwardPrefetch {
  PrefetchPlan in_kernel;  // by attention, some bytes ahead of itself (AttentionAccess)
  bool ahead = true;       // a stage ahead, while keys and values are computed
  // If there is one, says layer by layer what attention does in place of `in_kernel`, where its
  // time tells anything, and hears what that took.
  PlanWatch* watch = nullptr;
  WeightsPlans weights = {};
};

// Runs a model over tokens of any number of sequences, at most kMaxRows at once, with one read of
// its weights. What comes out has the same bits however a text is cut into passes, whoever else is
// in the batch, whatever the ISA, the number of threads and the prefetch setting. Keeps the memory
// that the layers work in; the model, kernels and pool must outlive it.
class ForwardPass {
 public:
  static constexpr int64_t kMaxRows = 64;

  ForwardPass(const Model& model, const Kernels& kernels, ThreadPool& pool,
              const ForwardPrefetch& prefetch);

  // Appends the tokens of each piece to its cache, and writes the states that it asks for. Errors,
  // each in the piece that has it, whose cache is then as it was before: no token; a token id that
  // the vocabulary lacks; the cache is full, or the pool or the machine out of memory; activations
  // that are not finite.
  void Run(RowBatch batch);

  // From now on moves the model's weights to huge pages (HugeWeights), some after each run; they
  // are fetched as `prefetch()` has it now.
  void MoveWeights(int64_t from_bytes, std::optional<TernaryPacking> packing) {
    huge_.emplace(model_, kernels_, pool_, prefetch_.weights, from_bytes, packing);
  }
  // Moves what is left of them at once.
  void FinishMoving() {
    while (huge_ && huge_->left() > 0) huge_->Move(huge_->left());
  }
  const ForwardPrefetch& prefetch() const { return prefetch_; }
  void SetPrefetch(const ForwardPrefetch& prefetch) { prefetch_ = prefetch; }

  // Of all runs since the last reset; whoever goes on from the states adds what that takes.
  StageProfile& profile() { return profile_; }
  const StageProfile& profile() const { return profile_; }
  void ResetProfile() { profile_ = {}; }

 private:
  // A piece that takes part in the pass, and which of its rows are the piece's.
  struct PieceRows {
    RowPiece* piece;
    int64_t first;
    int64_t count;
    int64_t position;  // of the first in its sequence
  };

  Status Admit(const RowPiece& piece) const;
  bool IsWatched() const;
  void RunLayers();
  void Embed();
  void RunAttention(int layer);
  void Turn(const LayerPlan& plan);
  void Attend(int layer);
  void RunFeedForward(int layer);
  Product ProductOf(const Projection& projection, std::vector<float>& out) const;
  void Quantize(const std::vector<float>& x, std::span<const float> norm,
                std::span<Product> products);
  void AddToResidual(const std::vector<float>& x, const Projection& projection,
                     std::span<const float> norm, Stage stage);
  int group() const;
  std::vector<AttendSlice> Slices(int layer, bool stored);
  void AimCursors(int layer, int64_t rows_a_step);
  void CountFetched();
  template <class Damage>
  void FindDamage(const Damage& damage);
  bool AnyIsWell() const;
  void WriteStates(const PieceRows& rows);

  const Model& model_;
  const Kernels& kernels_;
  ThreadPool& pool_;
  ForwardPrefetch prefetch_;
  Attention attention_;
  Products products_;
  std::optional<HugeWeights> huge_;
  StageProfile profile_;
  // What a thread fetches ahead, for which cache, and how many lines that were at first.
  struct Aim {
    PrefetchCursor cursor;
    KvCache* cache;
    size_t lines;
  };
  std::vector<Aim> aims_;  // [threads], or none
  size_t lines_a_step_ = 0;

  // Of a batch; [rows] first everywhere.
  std::vector<PieceRows> batch_;
  int64_t rows_ = 0;
  bool watched_ = false;
  PrefetchPlan in_kernel_;        // of this layer
  std::vector<uint8_t> finite_;   // what was quantised of each
  std::vector<float> residual_;   // [hidden]
  std::vector<float> q_, k_, v_;  // [heads or kv_heads][head_dim]
  std::vector<float> attended_;   // [heads][head_dim]
  std::vector<float> gate_, up_;  // [ffn]
  std::vector<float> projected_;  // [hidden]
  struct Turns {
    std::vector<float> cosines, sines;  // [head_dim / 2]
  };
  std::vector<Turns> turns_;  // of each of the model's RopeTables
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_FORWARD_H_
