// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_PAST_TEXTS_H_
#define BITFETCH_ENGINE_PAST_TEXTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kv/block_key.h"

namespace bitfetch {

// How texts that are over went on behind any few tokens: the last kTokens tokens of all of them, in
// memory that does not grow. Texts of different keys don't know of each other. One thread at a time
// uses it.
class PastTexts {
 public:
  static constexpr int64_t kMatch = 4;     // tokens that two texts must share to be compared
  static constexpr int64_t kCounted = 32;  // of a longer match no more are counted
  static constexpr int64_t kTokens = int64_t{1} << 18;

  // O(1) a token; no allocation.
  void Add(const BlockKey& key, std::span<const int> text);

  // A text's own place in another one, behind tokens that both have.
  class Trail {
   public:
    Trail(const PastTexts& texts, const BlockKey& key) : texts_(&texts), key_(key) {}

    // The text has got a token more. It stays with the text that it follows as long as that goes on
    // in the same way; else it turns to the last that had the same kMatch tokens.
    void Advance(std::span<const int> text);

    // How many tokens are the same; 0: it follows none, or one that ends here.
    int64_t match() const { return Guess(0) == kNone ? 0 : match_; }
    // The token that would come i-th from here, or kNone.
    int Guess(int64_t i) const;

   private:
    const PastTexts* texts_;
    BlockKey key_;
    int64_t place_ = kNone;  // of the next token
    uint32_t number_ = 0;    // of the text that it follows
    int64_t match_ = 0;
  };
  static constexpr int kNone = -1;

 private:
  struct Slot {
    int token = kNone;
    uint32_t number = 0;  // of the text
  };
  static constexpr int64_t kTexts = 4096;  // whose keys are known

  int At(int64_t place, uint32_t number) const;
  size_t Bucket(const BlockKey& key, std::span<const int> last) const;

  std::vector<Slot> slots_ = std::vector<Slot>(kTokens);        // a ring: [place % kTokens]
  std::vector<BlockKey> keys_ = std::vector<BlockKey>(kTexts);  // a ring: [number % kTexts]
  // Where kMatch tokens of a key were last: the place behind them.
  std::vector<int64_t> places_ = std::vector<int64_t>(kTokens, kNone);
  int64_t end_ = 0;       // the next place
  uint32_t numbers_ = 0;  // the next text's
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_PAST_TEXTS_H_
