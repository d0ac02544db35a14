// SPDX-License-Identifier: Apache-2.0
#include "serve/http/headers.h"

#include <algorithm>

namespace bitfetch::http {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsTokenCharacter(char c) {
  const char lower = Lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

const std::string* FindHeader(const Headers& headers, std::string_view name) {
  const auto found = std::ranges::find_if(
      headers, [&](const auto& field) { return EqualsIgnoringCase(field.first, name); });
  return found == headers.end() ? nullptr : &found->second;
}

bool IsValidHeader(std::string_view name, std::string_view value) {
  return !name.empty() && std::ranges::all_of(name, IsTokenCharacter) &&
         std::ranges::none_of(value,
                              [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

}  // namespace bitfetch::http
