// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_TEST_SERVER_H_
#define BITFETCH_SERVE_HTTP_TEST_SERVER_H_

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_value.h"
#include "serve/http/server.h"

namespace bitfetch::http {

// For tests: what a refusal looks like.
inline std::string TestErrorBody(int status, std::string_view message, std::string_view path) {
  return "{\"status\":" + std::to_string(status) + ",\"message\":" + QuoteJson(message) +
         ",\"path\":" + QuoteJson(path) + "}";
}

// For tests: what asks for something, and a handler for which anything will do.
inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

inline void AnswerOk(const Request&, const std::shared_ptr<Response>& response) {
  response->Send({}, "{}");
}

// For tests: a server on a free port of 127.0.0.1.
inline std::unique_ptr<Server> StartServer(Handler handler, Options options = {}) {
  options.error_body = TestErrorBody;
  auto server = Server::Listen(std::move(options), std::move(handler));
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    std::abort();
  }
  return *std::move(server);
}

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_TEST_SERVER_H_
