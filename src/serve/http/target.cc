// SPDX-License-Identifier: Apache-2.0
#include "serve/http/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/printable.h"
#include "base/utf8.h"
#include "serve/http/headers.h"

namespace bitfetch::http {
namespace {

Result<std::string> DecodePercent(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned char byte = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
      return Fail("the path has a % without two hexadecimal digits behind it");
    }
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

bool HasDotSegment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the "/" before each segment
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

}  // namespace

Result<Target> ParseTarget(std::string_view target) {
  if (target == "*") return Target{"*", ""};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!EqualsIgnoringCase(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.size(), target.find_first_of("/?")));
    if (!target.starts_with('/')) {  // a host alone, or with a query
      return Target{"/", std::string(target.substr(target.empty() ? 0 : 1))};
    }
  }
  if (!target.starts_with('/')) return Fail("what is asked for must begin with /");
  const size_t path_size = std::min(target.size(), target.find('?'));
  BITFETCH_ASSIGN_OR_RETURN(std::string path, DecodePercent(target.substr(0, path_size)));
  if (!IsUtf8(path)) return Fail("the path is not UTF-8");
  if (OneLine(path) != path) return Fail("the path has a control character");
  if (HasDotSegment(path)) return Fail("the path has a segment . or ..");
  const bool has_query = path_size < target.size();
  return Target{std::move(path), std::string(target.substr(path_size + (has_query ? 1 : 0)))};
}

std::string HostAndPort(std::string_view host, int port) {
  const bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return fmt::format("{}{}{}:{}", bare_v6 ? "[" : "", host, bare_v6 ? "]" : "", port);
}

}  // namespace bitfetch::http
