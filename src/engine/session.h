// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SESSION_H_
#define BITFETCH_ENGINE_SESSION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kv/kv_cache.h"
#include "model/forward.h"
#include "model/model.h"
#include "prefetch/setting.h"

namespace bitfetch {

struct SessionOptions {
  int threads = 0;      // 0: what affinity and cgroup allow
  int64_t context = 0;  // tokens; 0: what the model was made for
  KvTypes kv_types = {};
  PageSize pages = PageSize::kHuge;
  PrefetchSetting prefetch = {};  // inside attention
  bool prefetch_ahead = true;     // before attention
  bool mmap = true;
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

  // Appends tokens, in batches; then logits() are those of the last one. Errors:
  // an unknown token id, the context is full, out of memory; then the session is as it was before.
  // Between batches `progress` hears how far it is, and with `*interrupted` it gives up: false, and
  // nothing was appended.
  Result<bool> Append(std::span<const int> tokens, const Progress& progress = {},
                      const std::atomic<bool>* interrupted = nullptr);

  // The same, for one batch of at most ForwardPass::kMaxBatch, with the logits of every token:
  // [tokens][vocab].
  Status AppendBatch(std::span<const int> tokens, float* logits);

  // Forgets all but the first `length` tokens. logits() are not valid then, until the next Append.
  void Truncate(int64_t length);

  std::span<const float> logits() const { return logits_; }   // [vocab]
  const std::vector<int>& tokens() const { return tokens_; }  // so far
  int64_t length() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t context() const { return context_; }

  const Model& model() const { return *model_; }
  const Kernels& kernels() const { return *kernels_; }
  const KvCache& cache() const { return *cache_; }
  int threads() const { return pool_->threads(); }

 private:
  Session() = default;

  std::unique_ptr<ThreadPool> pool_;
  const Kernels* kernels_ = nullptr;
  std::unique_ptr<const Model> model_;
  std::unique_ptr<KvCache> cache_;
  std::unique_ptr<ForwardPass> forward_;
  int64_t context_ = 0;
  std::vector<int> tokens_;
  std::vector<float> logits_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SESSION_H_
