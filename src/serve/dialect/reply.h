// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_REPLY_H_
#define BITFETCH_SERVE_DIALECT_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "serve/schedule/completion.h"

// What the server asks of a dialect: requests to tasks, and events to what goes over the wire.
namespace bitfetch {

// Why a request has no answer. A dialect words it as its clients expect.
struct ApiError {
  int status = 400;                            // HTTP's
  std::string message;                         // for a person
  std::string type = "invalid_request_error";  // OpenAI's
  std::string param = {};                      // the field; empty: none
  std::string code = {};                       // e.g. "context_length_exceeded"; empty: none
};

template <class T>
using ApiResult = tl::expected<T, ApiError>;

// What an answer says or depends on and the request's body does not have.
struct RequestOrigin {
  std::string id;           // letters and digits, of no other request
  int64_t created = 0;      // in seconds since 1970
  uint64_t seed = 0;        // where the body has none: another one for each request
  std::string client = {};  // CompletionTask::client
};

// Writes the answer to a request of one or more tasks, by their numbers. Streamed, each function
// returns what is to be sent now (server-sent events); else only Finish has something, the whole
// body. One thread at a time uses a reply.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual std::string Begin() { return {}; }
  virtual std::string OnPrompt(size_t task, std::vector<TokenLogprob> logprobs) = 0;
  virtual std::string OnPiece(size_t task, CompletionPiece piece) = 0;
  virtual std::string OnEnd(size_t task, const CompletionEnd& end) = 0;
  // Of a stream, where nothing else was sent for a while.
  virtual std::string Ping() { return ": ping\n\n"; }
  // All tasks have ended well.
  virtual std::string Finish() = 0;
  // Of a stream that can't be finished.
  virtual std::string Fail(const ApiError& error) = 0;
};

struct CompletionRequest {
  std::vector<CompletionTask> tasks;
  bool stream = false;
  std::unique_ptr<Reply> reply;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_REPLY_H_
