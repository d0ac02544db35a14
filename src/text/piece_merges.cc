// SPDX-License-Identifier: Apache-2.0
#include "text/piece_merges.h"

#include <algorithm>

namespace bitfetch {

void PieceMerges::Add(const std::string& text, int id, int rank) {
  const auto piece = pieces_.emplace(text, Merge{rank, id}).first;
  if (texts_.size() <= static_cast<size_t>(id)) texts_.resize(id + 1);
  texts_[id] = piece->first;
  longest_ = std::max(longest_, text.size());
}

std::optional<int> PieceMerges::Id(std::string_view text) const {
  const auto found = pieces_.find(text);
  if (found == pieces_.end()) return std::nullopt;
  return found->second.merged;
}

std::string_view PieceMerges::Text(int id) const {
  return id >= 0 && static_cast<size_t>(id) < texts_.size() ? texts_[id] : std::string_view();
}

std::optional<PairMerges::Merge> PieceMerges::Find(int left, int right) const {
  const std::string_view begin = Text(left);
  const std::string_view end = Text(right);
  if (begin.empty() || end.empty() || begin.size() + end.size() > longest_) return std::nullopt;
  const auto found = pieces_.find(std::string(begin).append(end));
  if (found == pieces_.end()) return std::nullopt;
  return found->second;
}

}  // namespace bitfetch
