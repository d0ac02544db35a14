// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_TARGET_H_
#define BITFETCH_SERVE_HTTP_TARGET_H_

#include <string>
#include <string_view>

#include "base/error.h"

namespace bitfetch::http {

// What a request line asks for; Request says what is in its parts.
struct Target {
  std::string path;
  std::string query;
};

// Reads "/path?query", "http://host/path?query" and "*" (RFC 9112, section 3.2). Errors: another
// form, "%" without two hexadecimal digits behind it, and what a path must not have once it is
// decoded.
Result<Target> ParseTarget(std::string_view target);

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_TARGET_H_
