// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_SERVER_SENT_EVENT_H_
#define BITFETCH_SERVE_DIALECT_SERVER_SENT_EVENT_H_

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "serve/dialect/json_object.h"

namespace bitfetch {

// An event of a stream (WHATWG HTML, "Server-sent events"). JSON has no line ends.
inline std::string ServerSentEvent(const Json& data) {
  return fmt::format("data: {}\n\n", data.text);
}
inline std::string ServerSentEvent(std::string_view name, const Json& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data.text);
}

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_SERVER_SENT_EVENT_H_
