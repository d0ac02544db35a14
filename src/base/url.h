// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_URL_H_
#define BITFETCH_BASE_URL_H_

#include <optional>
#include <string>
#include <string_view>

namespace bitfetch {

// Text in which bytes stand as %XX (RFC 3986, section 2.1). Nothing: a % without two hexadecimal
// digits behind it.
std::optional<std::string> DecodePercents(std::string_view text);

// The two as a URL has them, an IPv6 address in brackets (RFC 3986, section 3.2.2).
std::string HostAndPort(std::string_view host, int port);

}  // namespace bitfetch

#endif  // BITFETCH_BASE_URL_H_
