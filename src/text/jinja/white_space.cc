// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/white_space.h"

#include <algorithm>
#include <iterator>

namespace bitfetch::jinja {
namespace {

constexpr std::string_view kWhiteSpace[] = {
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u00a0", "\u1680", "\u2000",
    "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
    "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"};

// The bytes of the one that `text` begins with; 0: none.
size_t OneAt(std::string_view text) {
  const auto* found = std::ranges::find_if(
      kWhiteSpace, [&](std::string_view each) { return text.starts_with(each); });
  return found == std::end(kWhiteSpace) ? 0 : found->size();
}

}  // namespace

size_t LeadingWhiteSpace(std::string_view text) {
  size_t at = 0;
  while (const size_t size = OneAt(text.substr(at))) at += size;
  return at;
}

size_t TrailingWhiteSpace(std::string_view text) {
  size_t end = text.size();
  while (true) {
    const auto* found = std::ranges::find_if(
        kWhiteSpace, [&](std::string_view each) { return text.substr(0, end).ends_with(each); });
    if (found == std::end(kWhiteSpace)) return text.size() - end;
    end -= found->size();
  }
}

size_t FindWhiteSpace(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && OneAt(text.substr(at)) == 0) ++at;
  return at;
}

}  // namespace bitfetch::jinja
