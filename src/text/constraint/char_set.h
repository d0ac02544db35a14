// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_CHAR_SET_H_
#define BITFETCH_TEXT_CONSTRAINT_CHAR_SET_H_

#include <cstdint>
#include <vector>

namespace bitfetch {

// A set of characters, surrogates never among them.
class CharSet {
 public:
  struct Range {
    char32_t first;
    char32_t last;
  };
  static constexpr char32_t kLast = 0x10ffff;

  CharSet() = default;
  explicit CharSet(char32_t one) : CharSet({{one, one}}) {}
  explicit CharSet(std::vector<Range> ranges);  // in any order, maybe overlapping
  static CharSet All() { return CharSet({{0, kLast}}); }

  CharSet Complement() const;
  CharSet Union(const CharSet& other) const;
  bool Contains(char32_t first, char32_t last) const;

  // In rising order, with gaps between them.
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  std::vector<Range> ranges_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_CHAR_SET_H_
