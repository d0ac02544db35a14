// SPDX-License-Identifier: Apache-2.0
#include "cli/escapes.h"

#include <charconv>
#include <memory>
#include <utility>

#include "base/printable.h"
#include "base/utf8.h"

namespace bitfetch {

Result<std::string> ReadEscapes(std::string_view text) {
  constexpr std::string_view kNames = "ntrabfve0\\\"'";
  constexpr std::string_view kMeanings("\n\t\r\a\b\f\v\x1b\0\\\"'", kNames.size());
  std::string read;
  std::string_view left = text;
  while (!left.empty()) {
    const size_t plain = left.find('\\');
    read += left.substr(0, plain);
    if (plain == std::string_view::npos) break;
    left.remove_prefix(plain + 1);
    const size_t name = left.empty() ? std::string_view::npos : kNames.find(left.front());
    uint8_t byte = 0;
    if (name != std::string_view::npos) {
      read += kMeanings[name];
      left.remove_prefix(1);
    } else if (left.size() >= 3 && left.front() == 'x' &&
               std::from_chars(&left[1], &left[1] + 2, byte, 16).ptr == &left[1] + 2) {
      read += static_cast<char>(byte);
      left.remove_prefix(3);
    } else {
      return Fail("'\\{}' is no escape: wanted one of \\n \\t \\r \\\\ \\\" \\' \\xNN",
                  Printable(left.substr(0, 1)));
    }
  }
  if (IsUtf8(text) && !IsUtf8(read)) {
    return Fail("the escapes in '{}' make no UTF-8", Printable(text));
  }
  return read;
}

void AddEscape(Command& command, const std::string& where,
               std::function<std::vector<std::string*>()> texts) {
  const auto given = std::make_shared<bool>(false);
  command.AddFlag("-e,--escape",
                  fmt::format("read escapes as \\n, \\t, \\\\, \\\" and \\xNN in {}; otherwise a "
                              "backslash there is a backslash",
                              where),
                  given.get());
  const auto refused = std::make_shared<bool>(false);  // in llama.cpp's words
  command.AddFlag("--no-escape", "", refused.get()).Hidden();
  command.Require([given, refused, texts = std::move(texts)]() -> Status {
    if (!*given) return {};
    if (*refused) return Fail("-e and --no-escape cannot both be given");
    for (std::string* text : texts()) {
      Result<std::string> read = ReadEscapes(*text);
      if (!read) return Fail("-e: {}", read.error().message);
      *text = *std::move(read);
    }
    return {};
  });
}

}  // namespace bitfetch
