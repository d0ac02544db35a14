// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/char_set.h"

#include <algorithm>
#include <utility>

namespace bitfetch {

CharSet::CharSet(std::vector<Range> ranges) {
  constexpr Range kSurrogates{0xd800, 0xdfff};
  std::vector<Range> proper;
  for (const Range& range : ranges) {
    const Range below{range.first, std::min<char32_t>(range.last, kSurrogates.first - 1)};
    const Range above{std::max<char32_t>(range.first, kSurrogates.last + 1),
                      std::min(range.last, kLast)};
    for (const Range& part : {below, above}) {
      if (part.first <= part.last) proper.push_back(part);
    }
  }
  std::ranges::sort(proper, {}, &Range::first);
  for (const Range& range : proper) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CharSet CharSet::Complement() const {
  std::vector<Range> others;
  char32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) others.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) others.push_back({next, kLast});
  return CharSet(std::move(others));
}

CharSet CharSet::Union(const CharSet& other) const {
  std::vector<Range> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  return CharSet(std::move(all));
}

bool CharSet::Contains(char32_t first, char32_t last) const {
  return std::ranges::any_of(
      ranges_, [&](const Range& range) { return range.first <= first && last <= range.last; });
}

}  // namespace bitfetch
