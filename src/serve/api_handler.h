// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_API_HANDLER_H_
#define BITFETCH_SERVE_API_HANDLER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "serve/api_keys.h"
#include "serve/api_response.h"
#include "serve/dialect/served_model.h"
#include "serve/http/request.h"
#include "serve/http/response.h"
#include "serve/metrics.h"
#include "serve/request_log.h"
#include "serve/schedule/scheduler.h"

namespace bitfetch {

struct PostRoute;

// Finds out what a request wants, whether it may have it, and who answers it.
class ApiHandler {
 public:
  struct Options {
    const ServedModel* model;
    Scheduler* scheduler;
    Metrics* metrics;
    RequestLog* log;
    ApiKeys keys;
    std::string cors_origin;
    std::chrono::milliseconds ping_interval;
    int draft;
    size_t max_unread;  // bytes of bodies that wait to be read; more: 503
  };

  explicit ApiHandler(Options options);
  ~ApiHandler();

  // Never blocks: bodies are read on threads of its own.
  void Handle(http::Request request, std::shared_ptr<http::Response> response);

  // From now on every request is answered with 503.
  void RefuseNew() { draining_ = true; }
  // Those threads end; what was not yet read gets no answer.
  void Stop();

 private:
  class Workers;
  std::shared_ptr<const std::string> HoldUnread(std::string body);
  void AnswerPost(const PostRoute& route, std::string_view body, const RequestOrigin& origin,
                  ApiResponse response);
  void AnswerGet(const http::Request& request, ApiResponse response);

  const Options options_;
  std::atomic<bool> draining_ = false;
  std::atomic<size_t> unread_ = 0;
  std::unique_ptr<Workers> workers_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_API_HANDLER_H_
