// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_API_RESPONSE_H_
#define BITFETCH_SERVE_API_RESPONSE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "machine/clock.h"
#include "serve/dialect/reply.h"
#include "serve/http/response.h"
#include "serve/metrics.h"
#include "serve/request_log.h"

namespace bitfetch {

// The answer to one request, which is counted and logged once it is through. One thread at a time
// uses it.
class ApiResponse {
 public:
  // `headers` are in every answer.
  ApiResponse(std::shared_ptr<http::Response> response, RequestRecord record, http::Headers headers,
              Metrics* metrics, RequestLog* log)
      : response_(std::move(response)),
        record_(std::move(record)),
        headers_(std::move(headers)),
        metrics_(*metrics),
        log_(*log) {}

  void Send(int status, std::string_view body, std::string content_type = "application/json",
            const http::Headers& more = {});
  // Worded as clients of the path expect.
  void Fail(const ApiError& error, http::Headers more = {});

  // Server-sent events, with `ping` where nothing else is sent for so long (0: never).
  void StartStream(std::chrono::milliseconds ping_interval, std::string ping);
  void Write(std::string_view text) { response_->Write(text); }
  void Finish();

  void OnClosed(std::function<void()> closed) { response_->OnClosed(std::move(closed)); }
  // The client has left: nothing more is sent.
  void Abandon();

  RequestRecord& record() { return record_; }
  double Seconds() const { return since_.Seconds(); }  // since the request came

 private:
  http::Head MakeHead(int status, std::string content_type, const http::Headers& more) const;
  void Record(int status);

  std::shared_ptr<http::Response> response_;
  RequestRecord record_;
  http::Headers headers_;
  Metrics& metrics_;
  RequestLog& log_;
  Stopwatch since_;
};

// What is not for a dialect to say: an error by its HTTP status.
ApiError HttpError(int status, std::string message);
inline ApiError ShuttingDown() { return HttpError(503, "the server is shutting down"); }

// The body that says why, as clients of the path expect: Anthropic's form below /v1/messages, else
// OpenAI's.
std::string ErrorBody(std::string_view path, const ApiError& error);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_API_RESPONSE_H_
