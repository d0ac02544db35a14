// SPDX-License-Identifier: Apache-2.0
#include "serve/http/target.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "base/url.h"
#include "base/utf8.h"
#include "serve/http/headers.h"

namespace bitfetch::http {
namespace {

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
  std::optional<std::string> path = DecodePercents(target.substr(0, path_size));
  if (!path) return Fail("the path has a % without two hexadecimal digits behind it");
  if (!IsUtf8(*path)) return Fail("the path is not UTF-8");
  if (OneLine(*path) != *path) return Fail("the path has a control character");
  if (HasDotSegment(*path)) return Fail("the path has a segment . or ..");
  const bool has_query = path_size < target.size();
  return Target{*std::move(path), std::string(target.substr(path_size + (has_query ? 1 : 0)))};
}

}  // namespace bitfetch::http
