// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_API_SERVER_H_
#define BITFETCH_SERVE_API_SERVER_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "serve/dialect/served_model.h"
#include "serve/http/server.h"
#include "serve/request_log.h"
#include "serve/schedule/scheduler.h"

namespace bitfetch {

struct ApiServerOptions {
  http::Options http = {};  // but for its functions
  SchedulerOptions scheduler = {};
  int draft = kDraftAuto;  // how many tokens of an answer are guessed ahead (Drafter)
  std::vector<std::string> keys =
      {};                        // one of which a request must have; none: no request needs one
  std::string cors_origin = {};  // whose pages may ask (Access-Control-Allow-Origin); empty: none
  std::chrono::milliseconds ping_interval{15'000};  // of streams; 0: none
  size_t max_unread = size_t{256} << 20;            // bytes of bodies that wait to be read
  LogFormat log = LogFormat::kText;
};

// Serves a model to clients of OpenAI's and Anthropic's interfaces: docs/serving.md.
class ApiServer {
 public:
  // Serves from when it returns, with a thread of its own for the engine. Errors: those of
  // http::Server::Listen; a key that is none.
  static Result<std::unique_ptr<ApiServer>> Open(Engine* engine, ServedModel model,
                                                 const ApiServerOptions& options);
  // Breaks off what is under way.
  ~ApiServer();

  const std::string& url() const;

  // From when it returns, new requests are refused and /health says so.
  void RefuseNew();
  // Refuses new requests and waits until what runs is finished; whether it was in time.
  bool Drain(std::chrono::seconds limit);

 private:
  class Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_API_SERVER_H_
