// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_FRAMING_H_
#define BITFETCH_SERVE_HTTP_FRAMING_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/response.h"

namespace bitfetch::http {

// What of a request decides how the bytes of its answer look.
struct Framing {
  bool head_only = false;  // HEAD
  bool http10 = false;     // no chunks: a stream ends with the connection
  bool keep_alive = false;
};

// Whether a response with this status has a body (RFC 9110, section 6.4.1).
bool HasBody(int status);

// Status line and fields, with the empty line behind them. `length` is the body's in bytes; without
// one the body is a stream.
std::string FormatHead(const Head& head, const Framing& framing, std::optional<size_t> length);

// Appends a piece of a stream; an empty one would be the end, which kLastChunk is.
void AppendChunk(std::string_view piece, std::string* out);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_FRAMING_H_
