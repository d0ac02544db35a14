// SPDX-License-Identifier: Apache-2.0
#include "serve/api_server.h"

#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>
#include <utility>

#include "serve/api_handler.h"
#include "serve/schedule/scheduler.h"

namespace bitfetch {
namespace {

// How long clients have to take the end of what was finished when the server ends.
constexpr std::chrono::seconds kLastWrites{2};

}  // namespace

class ApiServer::Impl {
 public:
  Impl(Engine* engine, ServedModel model, const ApiServerOptions& options, ApiKeys keys)
      : options_(options),
        model_(std::move(model)),
        log_(options.log, STDERR_FILENO),
        scheduler_(engine, options.scheduler),
        handler_({.model = &model_,
                  .scheduler = &scheduler_,
                  .metrics = &metrics_,
                  .log = &log_,
                  .keys = std::move(keys),
                  .cors_origin = options.cors_origin,
                  .ping_interval = options.ping_interval,
                  .draft = options.draft,
                  .max_unread = options.max_unread}) {}

  // No request comes in before what it needs is there, and none is under way when that goes.
  ~Impl() {
    if (http_) http_->Stop();
    handler_.Stop();
  }

  Status Listen() {
    http::Options http = options_.http;
    http.error_body = [](int status, std::string_view message, std::string_view path) {
      return ErrorBody(path, HttpError(status, std::string(message)));
    };
    http.on_refused = [this](const http::Request& request, int status, const std::string& message) {
      metrics_.OnResponse(status);
      log_.Write({.client = request.peer,
                  .method = request.method,
                  .path = request.path,
                  .status = status,
                  .error = message});
    };
    BITFETCH_ASSIGN_OR_RETURN(
        http_, http::Server::Listen(std::move(http), [this](http::Request request,
                                                            std::shared_ptr<http::Response> to) {
          handler_.Handle(std::move(request), std::move(to));
        }));
    return {};
  }

  const std::string& url() const { return http_->url(); }

  void RefuseNew() { handler_.RefuseNew(); }

  bool Drain(std::chrono::seconds limit) {
    RefuseNew();
    const bool finished = scheduler_.Drain(std::chrono::steady_clock::now() + limit);
    scheduler_.Stop();  // whose answer is not finished is told so
    const auto closed = std::make_shared<std::promise<void>>();
    http_->Drain([closed] { closed->set_value(); });
    closed->get_future().wait_for(kLastWrites);
    return finished;
  }

 private:
  const ApiServerOptions options_;
  const ServedModel model_;
  Metrics metrics_;
  RequestLog log_;
  Scheduler scheduler_;  // its thread tells the two above until it ends
  ApiHandler handler_;
  std::unique_ptr<http::Server> http_;
};

Result<std::unique_ptr<ApiServer>> ApiServer::Open(Engine* engine, ServedModel model,
                                                   const ApiServerOptions& options) {
  BITFETCH_ASSIGN_OR_RETURN(ApiKeys keys, ApiKeys::Create(options.keys));
  auto impl = std::make_unique<Impl>(engine, std::move(model), options, std::move(keys));
  BITFETCH_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiServer::~ApiServer() = default;
const std::string& ApiServer::url() const { return impl_->url(); }
void ApiServer::RefuseNew() { impl_->RefuseNew(); }
bool ApiServer::Drain(std::chrono::seconds limit) { return impl_->Drain(limit); }

}  // namespace bitfetch
