// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_HEADERS_H_
#define BITFETCH_SERVE_HTTP_HEADERS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitfetch::http {

// The fields of a request's or of a response's header, in order: names and values.
using Headers = std::vector<std::pair<std::string, std::string>>;

// The first value of this name, in any case. Null where there is none.
const std::string* FindHeader(const Headers& headers, std::string_view name);

bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// Whether HTTP can carry it: the name is a token, and the value has no control characters but tabs
// (RFC 9110, section 5), so that none ends the line and begins another.
bool IsValidHeader(std::string_view name, std::string_view value);

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_HEADERS_H_
