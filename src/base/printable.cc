// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <fmt/core.h>

#include <algorithm>

namespace bitfetch {
namespace {

bool IsPrintable(char c) { return c >= 0x20 && c <= 0x7e; }

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// All that is not to be kept as \xNN.
template <class Keep>
std::string Escaped(std::string_view text, Keep keep) {
  std::string out;
  for (const char c : text) {
    if (keep(c)) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), IsPrintable);
}

std::string OneLine(std::string_view text) {
  return Escaped(text, [](char c) { return !IsControl(c); });
}

std::string Printable(std::string_view text, size_t limit) {
  std::string out = Escaped(text.substr(0, limit), IsPrintable);
  if (text.size() > limit) out += "...";
  return out;
}

}  // namespace bitfetch
