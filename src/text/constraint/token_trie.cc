// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/token_trie.h"

#include <algorithm>

namespace bitfetch {

TokenTrie::TokenTrie(std::span<const std::string_view> tokens, size_t min_bytes, size_t max_bytes)
    : max_bytes_(max_bytes) {
  for (size_t id = 0; id < tokens.size(); ++id) {
    const size_t bytes = tokens[id].size();
    if (min_bytes <= bytes && bytes <= max_bytes) ids_.push_back(static_cast<int>(id));
  }
  std::ranges::stable_sort(ids_, {}, [&](int id) { return tokens[id]; });

  std::vector<uint32_t> open;  // the nodes of the last token's bytes
  const auto close_to = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back()) {
      nodes_[open.back()].end = static_cast<uint32_t>(nodes_.size());
    }
  };
  std::string_view last;
  for (uint32_t i = 0; i < ids_.size(); ++i) {
    const std::string_view token = tokens[ids_[i]];
    const auto shared = std::ranges::mismatch(token, last).in1 - token.begin();
    close_to(shared);
    for (size_t depth = shared; depth < token.size(); ++depth) {
      open.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({.byte = static_cast<uint8_t>(token[depth]),
                        .depth = static_cast<uint8_t>(depth),
                        .end = 0,
                        .ids_begin = i,
                        .ids_end = i});
    }
    nodes_[open.back()].ids_end = i + 1;
    last = token;
  }
  close_to(0);
}

TokenTries::TokenTries(std::span<const std::string_view> tokens)
    : tokens_(static_cast<int>(tokens.size())),
      tries_{TokenTrie(tokens, 1, kShortBytes), TokenTrie(tokens, kShortBytes + 1, kMaxBytes)} {
  for (const std::string_view token : tokens) {
    if (token.size() == 1) alphabet_.set(static_cast<uint8_t>(token[0]));
  }
}

}  // namespace bitfetch
