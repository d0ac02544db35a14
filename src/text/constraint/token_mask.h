// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_TOKEN_MASK_H_
#define BITFETCH_TEXT_CONSTRAINT_TOKEN_MASK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitfetch {

// A set of tokens.
class TokenMask {
 public:
  // None of so many.
  explicit TokenMask(int tokens) : words_((static_cast<size_t>(tokens) + 63) / 64) {}

  void Add(int id) { words_[id / 64] |= uint64_t{1} << id % 64; }
  void Add(const TokenMask& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  bool Has(int id) const { return (words_[id / 64] >> id % 64 & 1) != 0; }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_TOKEN_MASK_H_
