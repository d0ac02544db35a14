// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_ENGINE_H_
#define BITFETCH_ENGINE_ENGINE_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/logits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "engine/pass_cost.h"
#include "engine/sequence.h"
#include "kernels/kernels.h"
#include "kv/block_pool.h"
#include "machine/profile.h"
#include "model/forward.h"
#include "model/head_screen.h"
#include "model/model.h"
#include "model/output_head.h"
#include "prefetch/plan_watch.h"
#include "prefetch/setting.h"
#include "tier/kv_tier.h"
#include "tier/open_store.h"

namespace bitfetch {

struct EngineOptions {
  int threads = 0;  // 0: what affinity and cgroup allow
  // Tokens of a sequence; 0: what the model was made for, but at most `max_default_context`, and no
  // more than half of the free memory holds.
  int64_t context = 0;
  int64_t max_default_context = std::numeric_limits<int64_t>::max();
  // Tokens of all sequences together, those that they share counted once, at least `context`; 0:
  // `context`; kHalfOfFreeMemory: what that holds.
  int64_t kv_tokens = 0;
  static constexpr int64_t kHalfOfFreeMemory = -1;
  double kv_bytes = 0;  // if above 0: what these tokens may take, in place of their number
  KvTypes kv_types = {};
  PageSize pages = PageSize::kHuge;
  BlockPlacement placement = BlockPlacement::kContiguous;
  PrefetchSetting prefetch = {};  // inside attention
  bool prefetch_ahead = true;     // before attention
  bool mmap = true;
  // Sequences adopt blocks of the KV cache that others computed for the same first tokens.
  bool share_prefixes = true;
  StoreOptions store = {};  // what keeps these blocks between runs (KvTier)
  // Ternary weights of so many bytes, if mapped, are moved to huge pages (HugeWeights).
  int64_t move_from_bytes = HugeWeights::kWorthwhileBytes;
  std::optional<TernaryPacking> packing = {};  // of what is moved; none: the faster one
  // An output head of so many bytes gets a screen (HeadScreen), if its type allows.
  int64_t screen_from_bytes = HeadScreen::kWorthwhileBytes;
};

// Tokens to append to one sequence.
struct SequencePiece {
  Sequence* sequence = nullptr;
  std::span<const int> tokens;  // at least one
  // Out, if not null: the logits of every one of them, [tokens][vocab]; else Engine::Logits has
  // those of the last.
  float* logits = nullptr;
  // Of the tokens, fewer than all and none with `logits`: the last so many are guesses. They are
  // computed as the others are, but become the sequence's guesses().
  int64_t guesses = 0;
  // Out: why nothing was appended. The other pieces don't notice.
  Status status = {};
};

// Which logits of the token that comes next in a sequence are wanted.
struct LogitsQuery {
  const Sequence* sequence = nullptr;
  int64_t guesses = 0;  // behind so many of its guesses
  LogitsWanted wanted = {};
  std::vector<Logit> logits = {};  // out: by id, perhaps with some that nobody asked for
  Status status = {};              // out
};

// A model that is ready to run, with all that its sequences share: weights, output head, kernels,
// threads, the machine's profile and one pool of KV blocks. What a sequence gets never depends on
// who else is served. One thread at a time uses an engine and its sequences.
class Engine {
 public:
  // Loads the model at `path`; `progress` hears of the weights. Errors: whatever is wrong with the
  // file or the options, a KV cache that is larger than the memory of the machine, threads that the
  // system refuses.
  static Result<std::unique_ptr<Engine>> Open(const std::string& path, const EngineOptions& options,
                                              const Progress& progress = {});

  // An empty sequence. Costs some microseconds, and no memory to speak of until it has tokens. Only
  // sequences with the same `salt` adopt blocks of each other: whoever can time an answer learns
  // whether its first tokens were computed before.
  Result<Sequence> NewSequence(std::string_view salt = {});

  // Appends to each piece's sequence its tokens, whatever their number, in passes of up to
  // ForwardPass::kMaxRows rows of all of them; the shortest pieces are through first. Where blocks
  // of the KV cache are there already for what comes next, and not all logits are asked for, they
  // are adopted, and the rest is computed. Between passes `progress` hears how many tokens are
  // done, and with `*interrupted` it gives up: false, and to what was not through nothing was
  // appended. Errors: a sequence that stands there twice, or is another engine's; then nothing was
  // done. Errors of one piece, in its status, after which its sequence is as before: no tokens, an
  // unknown token id, the context is full; and, without logits then, the pool is full, out of
  // memory, activations or logits that are not finite. Throws std::bad_alloc; then what was not
  // through is as before.
  Result<bool> Run(std::span<SequencePiece> pieces, const Progress& progress = {},
                   const std::atomic<bool>* interrupted = nullptr);

  // Appends what blocks of the KV cache are there for of the tokens that come next in a sequence,
  // but never the last of them: how many that were. `*is_coming`: the next block is on its way from
  // a store, and Run would wait for it. Costs some microseconds a block.
  int64_t Adopt(Sequence& sequence, std::span<const int> tokens, bool* is_coming = nullptr) const;
  // Until a block that is on its way has come, or can't be had.
  void WaitForKv() const;
  // What is on its way is left out: no sequence waits for it any more.
  void StopFetchingKv() const;
  // The same, and waits until their blocks are free.
  void EndFetchingKv() const;

  // Answers each query, with one read of the output head, or of its screen, for all of them.
  // Errors, in the status of the query: logits that are not finite; nothing was appended yet, or a
  // Truncate or a Run that failed came after it.
  void Logits(std::span<LogitsQuery> queries);

  // The first of the sequence's guesses, of which there is one, becomes its next token: as if it
  // had been appended.
  void Accept(Sequence& sequence) const;

  // An error if so many more tokens do not fit in the sequence's context.
  Status CheckRoom(const Sequence& sequence, size_t count) const;

  // Where the time went from the last reset until now.
  StageProfile profile() const { return forward_->profile().UntilNow(); }
  void ResetProfile() { forward_->ResetProfile(); }

  // What rows cost in the passes of one sequence alone, all of whose logits were asked for.
  const PassCost& pass_cost() const { return pass_cost_; }

  // What this machine reads in a stream with the engine's threads, as far as it is known.
  double ReadBytesPerSecond() const;

  // Of the store that keeps KV; nothing: there is none. Any thread may ask.
  std::optional<KvTier::Stats> store_stats() const;

  int64_t context() const { return context_; }
  const Model& model() const { return *model_; }
  const Kernels& kernels() const { return *kernels_; }
  const BlockPool& pool() const { return *blocks_; }
  int threads() const { return threads_->threads(); }

 private:
  friend class EngineForBench;
  struct Work;

  Engine() = default;
  Status ScreenHead(const EngineOptions& options, const Progress& progress);
  void SetPrefetch(const PrefetchSetting& in_kernel, bool ahead);
  void HeedWatch();
  Status CheckPieces(std::span<const SequencePiece> pieces) const;
  Status Check(const SequencePiece& piece) const;
  static std::span<const int> AdoptableTokens(const Sequence& sequence, int64_t guesses);
  int64_t AdoptBehind(Sequence& sequence, int64_t guesses = 0) const;
  bool IsComing(const Sequence& sequence, int64_t guesses = 0) const;
  void Publish(Sequence& sequence, int64_t guesses = 0) const;
  void RunPass(std::span<Work> works);
  void AllLogits(std::span<Work* const> works, std::span<RowPiece> batch);
  Status LogitsNotFinite() const;

  std::unique_ptr<ThreadPool> threads_;
  const Kernels* kernels_ = nullptr;
  std::unique_ptr<const Model> model_;
  std::shared_ptr<BlockPool> blocks_;
  std::unique_ptr<KvTier> tier_;  // or none
  std::unique_ptr<ForwardPass> forward_;
  std::unique_ptr<OutputHead> head_;
  Digest digest_ = {};  // of the model
  MachineProfile machine_;
  PrefetchAccess access_;           // of attention
  bool prefetch_ahead_ = true;      // if the law prefetches at all
  std::optional<PlanWatch> watch_;  // of what the law chose
  int64_t context_ = 0;
  bool share_prefixes_ = true;
  PassCost pass_cost_;
  struct LonePass {
    int64_t rows = 0;
    double ns = 0;
  } lone_pass_;                // the last, if it was one and no logits were asked for yet
  std::vector<float> states_;  // of a pass, of the pieces of which all logits are wanted
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_ENGINE_H_
