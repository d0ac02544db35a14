// SPDX-License-Identifier: Apache-2.0
#include "serve/api_response.h"

#include "serve/dialect/error_body.h"

namespace bitfetch {
namespace {

// nginx's, for who is not there to read it.
constexpr int kClientClosedRequest = 499;

}  // namespace

ApiError HttpError(int status, std::string message) {
  const auto type = [&]() -> std::string {
    if (status == 401) return "authentication_error";
    if (status == 404) return "not_found_error";
    if (status == 429) return "rate_limit_error";
    if (status == 503) return "service_unavailable_error";
    return status < 500 ? "invalid_request_error" : "server_error";
  };
  return {.status = status, .message = std::move(message), .type = type()};
}

std::string ErrorBody(std::string_view path, const ApiError& error) {
  return path.starts_with("/v1/messages") ? AnthropicError(error).text : OpenAiError(error).text;
}

http::Head ApiResponse::MakeHead(int status, std::string content_type,
                                 const http::Headers& more) const {
  http::Head head{.status = status, .content_type = std::move(content_type), .more = headers_};
  head.more.insert(head.more.end(), more.begin(), more.end());
  return head;
}

void ApiResponse::Send(int status, std::string_view body, std::string content_type,
                       const http::Headers& more) {
  response_->Send(MakeHead(status, std::move(content_type), more), body);
  Record(status);
}

void ApiResponse::Fail(const ApiError& error, http::Headers more) {
  if (error.status == 401) more.emplace_back("WWW-Authenticate", "Bearer");
  record_.error = error.message;
  // What makes room for another request is a token or two.
  if (error.status == 429 || error.status == 503) more.emplace_back("Retry-After", "1");
  Send(error.status, ErrorBody(record_.path, error), "application/json", more);
}

void ApiResponse::StartStream(std::chrono::milliseconds ping_interval, std::string ping) {
  response_->Start(MakeHead(200, "text/event-stream",
                            {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}));
  if (ping_interval.count() > 0) response_->WriteWhenSilent(ping_interval, std::move(ping));
}

void ApiResponse::Finish() {
  response_->Finish();
  Record(200);
}

void ApiResponse::Abandon() { Record(kClientClosedRequest); }

void ApiResponse::Record(int status) {
  record_.status = status;
  record_.seconds = since_.Seconds();
  metrics_.OnResponse(status);
  log_.Write(record_);
}

}  // namespace bitfetch
