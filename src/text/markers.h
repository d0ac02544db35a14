// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_MARKERS_H_
#define BITFETCH_TEXT_MARKERS_H_

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {

// A token that is found in a text before it is cut into words.
struct Marker {
  std::string text;
  int id;
};

// Finds markers: of those that begin at a place the longest.
class Markers {
 public:
  Markers() = default;
  // None may be empty. Of those with the same text the first is found.
  explicit Markers(const std::vector<Marker>& markers);

  // The marker that begins at `at`, which must be within the text; null: none does. Takes time in
  // proportion to what it compares, and the logarithm of how many markers there are.
  const Marker* At(std::string_view text, size_t at) const;

 private:
  std::array<std::vector<Marker>, 256> by_first_byte_;  // in rising order of their texts
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_MARKERS_H_
