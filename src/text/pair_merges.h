// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_PAIR_MERGES_H_
#define BITFETCH_TEXT_PAIR_MERGES_H_

#include <optional>
#include <vector>

namespace bitfetch {

// Pairs of tokens that merge (Sennrich et al., 2016, "Neural machine translation of rare words with
// subword units"): in a sequence of tokens, the pair of the lowest rank becomes one token, the
// leftmost where there are several, until no pair is left that has a merge.
class PairMerges {
 public:
  struct Merge {
    int rank;
    int merged;
  };

  virtual ~PairMerges() = default;

  // The merge of two neighbours, if they have one.
  virtual std::optional<Merge> Find(int left, int right) const = 0;

  // Merges in place. O(n log n) for n tokens, and at most 3n calls of Find().
  void Apply(std::vector<int>* tokens) const;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_PAIR_MERGES_H_
