// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SEQUENCE_H_
#define BITFETCH_ENGINE_SEQUENCE_H_

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kv/block_key.h"
#include "kv/kv_cache.h"
#include "tier/kv_tier.h"

namespace bitfetch {

// One text: the tokens so far and their KV cache, in the pool of the engine that made it. An engine
// and all its sequences belong to one thread at a time. May outlive the engine, but is then of no
// use.
class Sequence {
 public:
  // Another sequence with the same content, and the same logits, but no guesses. Costs a copy of
  // the tokens and of the block table: KV blocks are shared, until one of the two writes behind
  // what both have. Throws std::bad_alloc.
  Sequence Fork() const;

  // Forgets guesses, and all but the first `length` tokens; without one of those there are no
  // logits then, until tokens are appended.
  void Truncate(int64_t length);

  const std::vector<int>& tokens() const { return tokens_; }
  int64_t length() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t context() const { return context_; }  // tokens that it may hold
  const KvCache& cache() const { return cache_; }
  // Of the keys of its blocks: sequences with different ones know nothing of each other.
  const BlockKey& root() const { return root_; }

  // What was computed behind the tokens, and has its KV in the cache, but is no part of the text
  // yet (SequencePiece, Engine::Accept).
  const std::vector<int>& guesses() const { return guesses_; }

  // Whether Engine::Logits has those of the token that comes next.
  bool has_logits() const { return !states_.empty(); }
  // What the output head would make them of, [hidden], behind so many of the guesses; empty where
  // there are none.
  std::span<const float> state(int64_t guesses = 0) const;

 private:
  friend class Engine;
  friend class EngineForBench;

  Sequence(KvCache cache, int64_t context, const BlockKey& root)
      : cache_(std::move(cache)), context_(context), root_(root) {}
  Sequence(KvCache cache, const Sequence& other)
      : cache_(std::move(cache)),
        context_(other.context_),
        root_(other.root_),
        store_cursor_(other.store_cursor_),
        tokens_(other.tokens_),
        states_(other.state().begin(), other.state().end()) {}

  void ForgetGuesses() { Truncate(length()); }

  KvCache cache_;
  int64_t context_;
  BlockKey root_;  // of the keys of its blocks
  StoreCursor store_cursor_;
  std::vector<int> tokens_;
  std::vector<int> guesses_;
  std::vector<float> states_;  // [1 + guesses][hidden], the last token's first; or none
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SEQUENCE_H_
