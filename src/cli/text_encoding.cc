// SPDX-License-Identifier: Apache-2.0
#include "cli/text_encoding.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace bitfetch {
namespace {

using std::string_view_literals::operator""sv;

std::string_view ByMark(std::string_view text) {
  struct Mark {
    std::string_view bytes;
    std::string_view encoding;
  };
  // UTF-32's little-endian mark begins with UTF-16's.
  constexpr Mark kForeign[] = {{"\xff\xfe\0\0"sv, "UTF-32"},
                               {"\0\0\xfe\xff"sv, "UTF-32"},
                               {"\xff\xfe"sv, "UTF-16"},
                               {"\xfe\xff"sv, "UTF-16"}};
  for (const auto& [bytes, encoding] : kForeign) {
    if (text.starts_with(bytes)) return encoding;
  }
  return {};
}

// In UTF-16 and UTF-32 many characters of a text in most scripts, its spaces and line ends at
// least, have NULs, always at the same places of four bytes, where hardly anything is that were a
// character of UTF-8. The NULs that a text in UTF-8 may have are anywhere.
std::string_view ByNuls(std::string_view text) {
  constexpr size_t kEnough = 1 << 14;
  const size_t fours = std::min(text.size(), kEnough) / 4;
  std::array<size_t, 4> nuls = {};
  std::array<size_t, 4> printable = {};
  for (size_t i = 0; i < 4 * fours; ++i) {
    nuls[i % 4] += text[i] == '\0';
    printable[i % 4] += text[i] >= ' ' && text[i] <= '~';
  }
  const auto is_high = [&](int place) {
    return nuls[place] > 0 && nuls[place] >= fours / 8 && printable[place] <= fours / 8;
  };
  const auto is_low = [&](int place) { return nuls[place] <= fours / 64; };
  if (is_low(0) && is_high(2) && nuls[3] == fours) return "UTF-32LE";
  if (is_low(3) && is_high(1) && nuls[0] == fours) return "UTF-32BE";
  if (is_low(0) && is_low(2) && is_high(1) && is_high(3)) return "UTF-16LE";
  if (is_low(1) && is_low(3) && is_high(0) && is_high(2)) return "UTF-16BE";
  return {};
}

}  // namespace

Status TakeUtf8(const std::string& name, std::string* text) {
  std::string_view foreign = ByMark(*text);
  if (foreign.empty()) foreign = ByNuls(*text);
  if (!foreign.empty()) {
    return Fail("{}: the text is {}, and has to be UTF-8: convert it with iconv -f {} -t UTF-8",
                name, foreign, foreign);
  }
  constexpr std::string_view kUtf8 = "\xef\xbb\xbf";
  if (text->starts_with(kUtf8)) text->erase(0, kUtf8.size());
  return {};
}

}  // namespace bitfetch
