// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_REQUEST_READER_H_
#define BITFETCH_SERVE_HTTP_REQUEST_READER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "serve/http/request.h"

namespace bitfetch::http {

// Why a request is not answered as it asks: the status, and a sentence for a person.
struct Refusal {
  int status;
  std::string message;
};

// Makes one request of the bytes that come in, however they are cut (RFC 9112).
class RequestReader {
 public:
  enum class State { kHeader, kBody, kDone, kRefused };

  // At most so many bytes of header (the request line included) and of body.
  RequestReader(size_t max_header, size_t max_body);
  ~RequestReader();

  // Takes what it can from the front of `bytes` and says how many that were; the others must come
  // again with more behind them, or belong to the next request once this one is kDone. Refuses what
  // is malformed, ambiguous about where it ends (request smuggling), or too large.
  size_t Feed(std::string_view bytes);

  State state() const;
  // The client waits for "100 Continue" before it sends the body.
  bool awaits_continue() const;

  // Grows as it is read: of a refused request the path may be known, for instance.
  Request& request();
  bool http10() const;
  // Of a request that is kDone: whether the client will send another one.
  bool keep_alive() const;
  const Refusal& refusal() const;  // when kRefused

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_REQUEST_READER_H_
