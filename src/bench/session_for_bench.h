// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_SESSION_FOR_BENCH_H_
#define BITFETCH_BENCH_SESSION_FOR_BENCH_H_

#include <cstdint>

#include "base/error.h"
#include "engine/session.h"
#include "prefetch/setting.h"

namespace bitfetch {

// What a benchmark may do with a session and nobody else.
class SessionForBench {
 public:
  explicit SessionForBench(Session& session) : session_(session) {}

  // Puts `tokens` more into the cache without running the model: synthetic keys and values that are
  // read instead of a long prompt's. Errors: the context is full, out of memory; then nothing
  // changed. Costs half a microsecond a token and layer.
  Status Fill(int64_t tokens);

  // Finishes what is otherwise done along with the first tokens, for measuring what comes after.
  void FinishMoving() { session_.engine_->forward_->FinishMoving(); }

  // Prefetching from now on, other than the session was opened with; what it comes to in attention.
  void SetPrefetch(const PrefetchSetting& in_kernel, bool ahead) {
    session_.engine_->SetPrefetch(in_kernel, ahead);
  }
  const PrefetchPlan& prefetch_plan() const {
    return session_.engine_->forward_->prefetch().in_kernel;
  }

  // How many rows of the output head the last Logits() computed in full precision.
  int64_t head_rows() const { return session_.engine_->head_->rows_computed(); }

 private:
  Session& session_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_SESSION_FOR_BENCH_H_
