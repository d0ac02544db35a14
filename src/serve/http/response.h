// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_RESPONSE_H_
#define BITFETCH_SERVE_HTTP_RESPONSE_H_

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "serve/http/headers.h"

namespace bitfetch::http {

// What a response begins with. Length, framing, date and Connection are added to it; a field that
// HTTP can't carry (IsValidHeader) is left out, so that no value can smuggle in a line.
struct Head {
  int status = 200;
  std::string content_type = "application/json";  // empty: no such field
  Headers more = {};
};

// Where the answer to one request goes: either Send, or Start, any number of Write, and Finish. Any
// thread may call it, one at a time or several; nothing here waits for the client. Once the client
// has left, all of it has no effect. A handle that is let go before Send is answered with a 500;
// one that is let go before Finish breaks the connection off, which tells the client that the
// answer is not whole.
class Response {
 public:
  virtual ~Response() = default;

  virtual void Send(const Head& head, std::string_view body) = 0;

  virtual void Start(const Head& head) = 0;
  // A client that leaves more than Options::max_unsent bytes of a stream waiting is dropped.
  virtual void Write(std::string_view piece) = 0;
  virtual void Finish() = 0;
  // After Start: writes `text` whenever nothing else was written for so long.
  virtual void WriteWhenSilent(std::chrono::milliseconds interval, std::string text) = 0;

  // Calls `closed` once, on the I/O thread, if the client leaves or is dropped before the answer is
  // whole; at once, on the calling thread, if it has left already. A later call replaces it.
  virtual void OnClosed(std::function<void()> closed) = 0;
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_RESPONSE_H_
