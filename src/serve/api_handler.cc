// SPDX-License-Identifier: Apache-2.0
#include "serve/api_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <ctime>
#include <new>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/completion_call.h"
#include "serve/dialect/chat_completions.h"
#include "serve/dialect/completions.h"
#include "serve/dialect/embeddings.h"
#include "serve/dialect/messages.h"
#include "serve/dialect/model_info.h"
#include "serve/dialect/responses.h"
#include "serve/page.h"

namespace bitfetch {
namespace {

// Enough that a large request does not keep all others waiting.
constexpr int kWorkers = 2;

constexpr std::string_view kModels = "/v1/models";

using ReadCompletionRequest = ApiResult<CompletionRequest> (*)(const ServedModel& model,
                                                               std::string_view body,
                                                               const RequestOrigin& origin);
using AnswerFromModel = ApiResult<std::string> (*)(const ServedModel& model, std::string_view body);

}  // namespace

// What is posted to a path: a request for the scheduler, or for what needs no engine.
struct PostRoute {
  std::string_view path;
  ReadCompletionRequest read = nullptr;
  AnswerFromModel answer = nullptr;
};

namespace {

constexpr PostRoute kPostRoutes[] = {
    {.path = "/v1/chat/completions", .read = ReadChatCompletion},
    {.path = "/v1/completions", .read = ReadCompletion},
    {.path = "/v1/responses", .read = ReadResponse},
    {.path = "/v1/messages", .read = ReadMessages},
    {.path = "/v1/messages/count_tokens", .answer = CountMessageTokens},
    {.path = "/v1/embeddings", .read = ReadEmbeddings},
    {.path = "/tokenize", .answer = AnswerTokenize},
    {.path = "/detokenize", .answer = AnswerDetokenize},
    {.path = "/apply-template", .answer = AnswerApplyTemplate},
};

constexpr std::string_view kGetPaths[] = {"/", "/health", "/metrics", "/props", kModels};

const PostRoute* FindPostRoute(std::string_view path) {
  const auto* found = std::ranges::find(kPostRoutes, path, &PostRoute::path);
  return found == std::end(kPostRoutes) ? nullptr : found;
}

bool IsGetPath(std::string_view path) {
  return std::ranges::find(kGetPaths, path) != std::end(kGetPaths) ||
         (path.starts_with(kModels) && path.substr(kModels.size()).starts_with('/'));
}

std::string_view KeyOf(const http::Request& request) {
  constexpr std::string_view kBearer = "Bearer ";
  if (const std::string* key = http::FindHeader(request.headers, "x-api-key")) return *key;
  const std::string* given = http::FindHeader(request.headers, "Authorization");
  if (given == nullptr ||
      !http::EqualsIgnoringCase(std::string_view(*given).substr(0, kBearer.size()), kBearer)) {
    return {};
  }
  return std::string_view(*given).substr(kBearer.size());
}

std::string AddressOf(const http::Request& request) {
  return request.peer.substr(0, request.peer.rfind(':'));
}

RequestOrigin NewOrigin(std::string client) {
  static thread_local std::random_device random;
  const auto word = [] { return uint64_t{random()} << 32 | random(); };
  return {.id = fmt::format("{:016x}{:016x}", word(), word()),
          .created = std::time(nullptr),
          .seed = word(),
          .client = std::move(client)};
}

// What a page of another origin asks before it sends a request.
http::Headers Permissions(const http::Request& request) {
  http::Headers headers = {{"Access-Control-Allow-Methods", "GET, POST, OPTIONS"},
                           {"Access-Control-Max-Age", "86400"}};
  if (const std::string* asked =
          http::FindHeader(request.headers, "Access-Control-Request-Headers")) {
    headers.emplace_back("Access-Control-Allow-Headers", *asked);
  }
  return headers;
}

}  // namespace

class ApiHandler::Workers : public boost::asio::thread_pool {
 public:
  using thread_pool::thread_pool;
};

ApiHandler::ApiHandler(Options options)
    : options_(std::move(options)), workers_(std::make_unique<Workers>(kWorkers)) {}

ApiHandler::~ApiHandler() = default;

void ApiHandler::Stop() {
  workers_->stop();
  workers_->join();
}

void ApiHandler::Handle(http::Request request, std::shared_ptr<http::Response> to) {
  http::Headers headers;
  if (!options_.cors_origin.empty()) {
    headers = {{"Access-Control-Allow-Origin", options_.cors_origin}, {"Vary", "Origin"}};
  }
  ApiResponse response(std::move(to),
                       {.client = request.peer, .method = request.method, .path = request.path},
                       std::move(headers), options_.metrics, options_.log);
  const std::string& path = request.path;
  if (request.method == "OPTIONS") {
    return response.Send(204, "", "",
                         options_.cors_origin.empty() ? http::Headers() : Permissions(request));
  }
  const size_t key = options_.keys.Find(KeyOf(request));
  const bool is_open = options_.keys.empty() || path == "/" || path == "/health";
  if (!is_open && key == 0) {
    return response.Fail(HttpError(401, "this server wants an API key, and this is none of its"));
  }
  if (draining_ && path != "/metrics") return response.Fail(ShuttingDown());

  const PostRoute* post = FindPostRoute(path);
  if (post == nullptr && !IsGetPath(path)) {
    return response.Fail(HttpError(404, fmt::format("there is nothing at {}", path)));
  }
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (post != nullptr ? request.method != "POST" : !is_get) {
    const std::string allowed = post != nullptr ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
    return response.Fail(HttpError(405, fmt::format("{} takes {}", path, allowed)),
                         {{"Allow", allowed}});
  }
  if (post == nullptr) return AnswerGet(request, std::move(response));

  const std::shared_ptr<const std::string> body = HoldUnread(std::move(request.body));
  if (unread_ > options_.max_unread) {
    return response.Fail(HttpError(503, "the server has too much to read: try again soon"));
  }
  std::string client = key > 0 ? fmt::format("key {}", key) : AddressOf(request);
  // Shared, since what the pool takes must be copyable.
  const auto shared = std::make_shared<ApiResponse>(std::move(response));
  boost::asio::post(*workers_, [this, post, shared, body, origin = NewOrigin(std::move(client))] {
    try {
      AnswerPost(*post, *body, origin, std::move(*shared));
    } catch (const std::bad_alloc&) {
      // Letting go of the response answers it.
    }
  });
}

// Counted for as long as it is there.
std::shared_ptr<const std::string> ApiHandler::HoldUnread(std::string body) {
  const auto* held = new std::string(std::move(body));
  unread_ += held->size();
  return {held, [this](const std::string* read) {
            unread_ -= read->size();
            delete read;
          }};
}

void ApiHandler::AnswerPost(const PostRoute& route, std::string_view body,
                            const RequestOrigin& origin, ApiResponse response) {
  if (route.answer != nullptr) {
    const ApiResult<std::string> answer = route.answer(*options_.model, body);
    return answer ? response.Send(200, *answer) : response.Fail(answer.error());
  }
  ApiResult<CompletionRequest> request = route.read(*options_.model, body, origin);
  if (!request) return response.Fail(request.error());
  CompletionCall::Start(*std::move(request), std::move(response),
                        {.scheduler = options_.scheduler,
                         .metrics = options_.metrics,
                         .tokenizer = &options_.model->tokenizer,
                         .ping_interval = options_.ping_interval,
                         .draft = options_.draft});
}

void ApiHandler::AnswerGet(const http::Request& request, ApiResponse response) {
  const std::string& path = request.path;
  if (path == "/") return SendPage(&response);
  if (path == "/health") return response.Send(200, R"({"status":"ok"})");
  if (path == "/metrics") {
    return response.Send(200, options_.metrics->Text(options_.scheduler->Stats()),
                         "text/plain; version=0.0.4; charset=utf-8");
  }
  if (path == "/props") return response.Send(200, WriteProps(*options_.model));
  if (path == kModels) return response.Send(200, WriteModels(*options_.model));
  const ApiResult<std::string> model =
      WriteModel(*options_.model, std::string_view(path).substr(kModels.size() + 1));
  return model ? response.Send(200, *model) : response.Fail(model.error());
}

}  // namespace bitfetch
