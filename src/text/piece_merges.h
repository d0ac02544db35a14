// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_PIECE_MERGES_H_
#define BITFETCH_TEXT_PIECE_MERGES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/pair_merges.h"
#include "text/string_map.h"

namespace bitfetch {

// Any two pieces merge that together are a piece: of that piece's rank.
class PieceMerges : public PairMerges {
 public:
  // ids are at least 0, and no piece is empty or there twice.
  void Add(const std::string& text, int id, int rank);

  void Reserve(size_t pieces) { pieces_.reserve(pieces); }

  std::optional<int> Id(std::string_view text) const;

  // What is no piece merges with nothing.
  std::optional<Merge> Find(int left, int right) const override;

 private:
  std::string_view Text(int id) const;

  StringMap<Merge> pieces_;
  std::vector<std::string_view> texts_;  // by id, of what is in pieces_; empty: no piece
  size_t longest_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_PIECE_MERGES_H_
