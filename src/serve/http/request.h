// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_REQUEST_H_
#define BITFETCH_SERVE_HTTP_REQUEST_H_

#include <cstdint>
#include <string>

#include "serve/http/headers.h"

namespace bitfetch::http {

struct Request {
  std::string method;  // as it was sent: methods have case
  // Per-cent decoded UTF-8 that begins with "/", without control characters and without segments
  // "." and ".."; or "*", which OPTIONS may ask about.
  std::string path;
  std::string query;  // what followed "?", as it was sent
  Headers headers;
  std::string body;
  std::string peer;  // the client's address and port
  uint64_t id = 0;   // counts the requests of a server, from 1
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_REQUEST_H_
