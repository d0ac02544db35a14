// SPDX-License-Identifier: Apache-2.0
#include "cli/byte_order_mark.h"

#include <string_view>

namespace bitfetch {

Status DropByteOrderMark(const std::string& name, std::string* text) {
  using std::string_view_literals::operator""sv;
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
    if (!text->starts_with(bytes)) continue;
    return Fail("{}: the text is {}, and has to be UTF-8: convert it with iconv -f {} -t UTF-8",
                name, encoding, encoding);
  }
  constexpr std::string_view kUtf8 = "\xef\xbb\xbf";
  if (text->starts_with(kUtf8)) text->erase(0, kUtf8.size());
  return {};
}

}  // namespace bitfetch
