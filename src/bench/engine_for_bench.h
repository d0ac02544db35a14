// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_ENGINE_FOR_BENCH_H_
#define BITFETCH_BENCH_ENGINE_FOR_BENCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "prefetch/setting.h"

namespace bitfetch {

// What a benchmark may do with an engine and nobody else.
class EngineForBench {
 public:
  explicit EngineForBench(Engine& engine) : engine_(engine) {}

  // Puts these tokens, or so many, into a sequence without running the model: its cache gets
  // synthetic keys and values, which are read instead of a long prompt's. Errors: the context or
  // the pool is full, out of memory; then nothing changed. Costs half a microsecond a token and
  // layer.
  Status Fill(Sequence& sequence, std::span<const int> tokens);
  Status Fill(Sequence& sequence, int64_t tokens) {
    return Fill(sequence, std::vector<int>(tokens));
  }

  // The keys of the full blocks that an empty sequence would have with these tokens.
  std::vector<BlockKey> Keys(const Sequence& sequence, std::span<const int> tokens) const {
    return sequence.cache_.NextKeys(sequence.root_, tokens);
  }
  // What the sequence holds is there for others, and goes to the engine's store, as if it had been
  // computed.
  void Publish(Sequence& sequence) { engine_.Publish(sequence); }

  // Finishes what is otherwise done along with the first tokens, for measuring what comes after.
  void FinishMoving() { engine_.forward_->FinishMoving(); }

  // Prefetching from now on, other than the engine was opened with; what it comes to in attention.
  void SetPrefetch(const PrefetchSetting& in_kernel, bool ahead) {
    engine_.SetPrefetch(in_kernel, ahead);
  }
  const PrefetchPlan& prefetch_plan() const { return engine_.forward_->prefetch().in_kernel; }

  // How many rows of the output head the last Logits() computed in full precision.
  int64_t head_rows() const { return engine_.head_->rows_computed(); }

 private:
  Engine& engine_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_ENGINE_FOR_BENCH_H_
