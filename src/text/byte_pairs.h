// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_BYTE_PAIRS_H_
#define BITFETCH_TEXT_BYTE_PAIRS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "text/pair_merges.h"

namespace bitfetch {

// Merges in the order in which they were learnt.
class BytePairMerges : public PairMerges {
 public:
  // The next merge. A pair that has one already keeps it.
  void Add(int left, int right, int merged) {
    merges_.try_emplace(Pair(left, right), Merge{static_cast<int>(merges_.size()), merged});
  }

  void Reserve(size_t merges) { merges_.reserve(merges); }

  std::optional<Merge> Find(int left, int right) const override {
    const auto found = merges_.find(Pair(left, right));
    if (found == merges_.end()) return std::nullopt;
    return found->second;
  }

 private:
  static uint64_t Pair(int left, int right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  }

  std::unordered_map<uint64_t, Merge> merges_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_BYTE_PAIRS_H_
