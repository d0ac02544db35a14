// SPDX-License-Identifier: Apache-2.0
#include "text/markers.h"

#include <algorithm>
#include <span>

namespace bitfetch {
namespace {

int Byte(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

}  // namespace

Markers::Markers(const std::vector<Marker>& markers) {
  for (const Marker& marker : markers) by_first_byte_[Byte(marker.text, 0)].push_back(marker);
  for (std::vector<Marker>& same_byte : by_first_byte_) {
    std::ranges::stable_sort(same_byte, {}, &Marker::text);
    const auto repeated =
        std::unique(same_byte.begin(), same_byte.end(),
                    [](const Marker& a, const Marker& b) { return a.text == b.text; });
    same_byte.erase(repeated, same_byte.end());
  }
}

const Marker* Markers::At(std::string_view text, size_t at) const {
  // Those that begin with the first `size` bytes from `at`: the shortest is in front.
  std::span<const Marker> rest = by_first_byte_[Byte(text, at)];
  const Marker* longest = nullptr;
  for (size_t size = 1; !rest.empty(); ++size) {
    if (rest.front().text.size() == size) longest = &rest.front();
    if (at + size == text.size()) break;
    const auto next_byte = [size](const Marker& marker) {
      return marker.text.size() == size ? -1 : Byte(marker.text, size);
    };
    const int byte = Byte(text, at + size);
    rest = {std::ranges::lower_bound(rest, byte, {}, next_byte),
            std::ranges::upper_bound(rest, byte, {}, next_byte)};
  }
  return longest;
}

}  // namespace bitfetch
