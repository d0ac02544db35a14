// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SESSION_H_
#define BITFETCH_ENGINE_SESSION_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/logits.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kv/kv_cache.h"
#include "machine/profile.h"
#include "model/forward.h"
#include "model/model.h"
#include "prefetch/setting.h"

namespace bitfetch {

struct SessionOptions {
  int threads = 0;  // 0: what affinity and cgroup allow
  // Tokens; 0: what the model was made for, but at most `max_default_context`, and no more than
  // half of the free memory holds.
  int64_t context = 0;
  int64_t max_default_context = std::numeric_limits<int64_t>::max();
  KvTypes kv_types = {};
  PageSize pages = PageSize::kHuge;
  BlockPlacement placement = BlockPlacement::kContiguous;
  PrefetchSetting prefetch = {};  // inside attention
  bool prefetch_ahead = true;     // before attention
  bool mmap = true;
  // Ternary weights of so many bytes, if mapped, are moved to huge pages (HugeWeights).
  int64_t move_from_bytes = HugeWeights::kWorthwhileBytes;
  // An output head of so many bytes gets an int8 copy (HeadScreen), if its type allows.
  int64_t screen_from_bytes = HeadScreen::kWorthwhileBytes;
};

// One conversation with one model: the tokens so far, their KV cache, and the threads that work on
// it. One thread at a time uses a session.
class Session {
 public:
  // Loads the model at `path`; `progress` hears of the weights. Errors: whatever is wrong with the
  // file or the options, a KV cache that is larger than the memory of the machine, threads that the
  // system refuses.
  static Result<std::unique_ptr<Session>> Open(const std::string& path,
                                               const SessionOptions& options,
                                               const Progress& progress = {});

  // An error if so many more tokens do not fit in the context.
  Status CheckRoom(size_t count) const;

  // Appends tokens, in batches; then Logits() are those of the last one. Errors:
  // an unknown token id, the context is full, out of memory; then the session is as it was before.
  // Between batches `progress` hears how far it is, and with `*interrupted` it gives up: false, and
  // nothing was appended.
  Result<bool> Append(std::span<const int> tokens, const Progress& progress = {},
                      const std::atomic<bool>* interrupted = nullptr);

  // The same, for one batch of at most ForwardPass::kMaxBatch, with the logits of every token:
  // [tokens][vocab].
  Status AppendBatch(std::span<const int> tokens, float* logits);

  // Those logits of the last token that are wanted, by id, perhaps with others; all by default.
  // Computed when asked for, and valid until the next call. Costs a read of the output head, or
  // half of that where it has a screen and not all are wanted. Errors: logits that are not finite;
  // nothing was appended yet, or a Truncate or an Append that failed came after it.
  Result<std::span<const Logit>> Logits(const LogitsWanted& wanted = {});

  // Forgets all but the first `length` tokens; there are no Logits() then, until the next Append.
  void Truncate(int64_t length);

  // Where the time went since the last reset.
  const StageProfile& profile() const { return forward_->profile(); }
  void ResetProfile() { forward_->ResetProfile(); }

  // What this machine reads in a stream with the session's threads, as far as it is known.
  double ReadBytesPerSecond() const;

  const std::vector<int>& tokens() const { return tokens_; }  // so far
  int64_t length() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t context() const { return context_; }

  const Model& model() const { return *model_; }
  const Kernels& kernels() const { return *kernels_; }
  const KvCache& cache() const { return *cache_; }
  int threads() const { return pool_->threads(); }

 private:
  friend class SessionForBench;

  Session() = default;
  Status ScreenHead(const SessionOptions& options, const Progress& progress);
  void SetPrefetch(const PrefetchSetting& in_kernel, bool ahead);

  std::unique_ptr<ThreadPool> pool_;
  const Kernels* kernels_ = nullptr;
  std::unique_ptr<const Model> model_;
  std::unique_ptr<KvCache> cache_;
  std::unique_ptr<ForwardPass> forward_;
  MachineProfile machine_;
  PrefetchAccess access_;  // of attention
  int64_t context_ = 0;
  std::vector<int> tokens_;
  bool has_logits_ = false;
  std::vector<Logit> logits_;
};

// Cuts a session back to the length it has now, unless Keep is called: however the work on it ends,
// be it by an exception.
class Rollback {
 public:
  explicit Rollback(Session& session) : session_(&session), length_(session.length()) {}
  ~Rollback() {
    if (session_ != nullptr) session_->Truncate(length_);
  }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  void Keep() { session_ = nullptr; }

 private:
  Session* session_;
  int64_t length_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SESSION_H_
