// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_BYTE_PAIRS_H_
#define BITFETCH_TEXT_BYTE_PAIRS_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace bitfetch {

// Byte-pair merges (Sennrich et al., 2016, "Neural machine translation of rare words with subword
// units"): in a sequence of tokens, the pair whose merge was learnt first becomes one token, the
// leftmost where there are several, until no pair is left that has a merge.
class BytePairMerges {
 public:
  // The next merge in the order of learning. A pair that has one already keeps it.
  void Add(int left, int right, int merged);

  void Reserve(size_t merges) { merges_.reserve(merges); }

  // Merges in place. O(n log n) for n tokens.
  void Apply(std::vector<int>* tokens) const;

 private:
  struct Merge {
    int rank;
    int merged;
  };
  static uint64_t Pair(int left, int right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  }

  std::unordered_map<uint64_t, Merge> merges_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_BYTE_PAIRS_H_
