// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_TOKEN_TRIE_H_
#define BITFETCH_TEXT_CONSTRAINT_TOKEN_TRIE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/constraint/grammar.h"

namespace bitfetch {

// Tokens by their bytes. Of 128K tokens: 5 MB, made in 0.1 s.
class TokenTrie {
 public:
  // [vocab] the bytes of each token, of which those with min_bytes .. max_bytes are taken.
  TokenTrie(std::span<const std::string_view> tokens, size_t min_bytes, size_t max_bytes);

  // A prefix of tokens, the root left out. They stand in the order of a walk that looks at all that
  // begins with one, in rising order, before it goes on.
  struct Node {
    uint8_t byte;
    uint8_t depth;       // its bytes, less one
    uint32_t end;        // the first node behind all that begins with it
    uint32_t ids_begin;  // the tokens that are it: ids_begin .. ids_end of ids()
    uint32_t ids_end;
  };
  std::span<const Node> nodes() const { return nodes_; }
  std::span<const int> ids() const { return ids_; }
  size_t max_bytes() const { return max_bytes_; }

 private:
  size_t max_bytes_;
  std::vector<Node> nodes_;
  std::vector<int> ids_;
};

// The tokens of a vocabulary, for all constraints. The few long ones are by themselves: where a
// count is near its limit for them, it is not for the others, whose mask may be known.
class TokenTries {
 public:
  static constexpr size_t kShortBytes = 16;
  static constexpr size_t kMaxBytes = 255;

  // [vocab] the bytes of each token; those without any, or with more than kMaxBytes, are left out.
  explicit TokenTries(std::span<const std::string_view> tokens);

  int tokens() const { return tokens_; }
  // The bytes that are tokens.
  const Alphabet& alphabet() const { return alphabet_; }
  const std::array<TokenTrie, 2>& tries() const { return tries_; }

 private:
  int tokens_;
  Alphabet alphabet_;
  std::array<TokenTrie, 2> tries_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_TOKEN_TRIE_H_
