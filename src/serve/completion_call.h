// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_COMPLETION_CALL_H_
#define BITFETCH_SERVE_COMPLETION_CALL_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serve/api_response.h"
#include "serve/metrics.h"
#include "serve/schedule/scheduler.h"
#include "text/tokenizer.h"

namespace bitfetch {

// One request for texts under way: hands its tasks to the scheduler, and what they tell to the
// client. When the client leaves, its tasks end.
class CompletionCall : public std::enable_shared_from_this<CompletionCall> {
 public:
  struct Context {
    Scheduler* scheduler;
    Metrics* metrics;
    const Tokenizer* tokenizer;
    std::chrono::milliseconds ping_interval;
    int draft;  // of every text
  };

  // Any thread may call it.
  static void Start(CompletionRequest request, ApiResponse response, const Context& context);

  CompletionCall(std::unique_ptr<Reply> reply, size_t tasks, bool stream, ApiResponse response,
                 const Context& context)
      : context_(context),
        reply_(std::move(reply)),
        response_(std::move(response)),
        stream_(stream),
        tasks_(tasks) {}

 private:
  class Listener;

  void Submit(std::vector<CompletionTask> tasks);
  // What tasks tell, on the scheduler's thread.
  void OnPrompt(size_t task, std::vector<TokenLogprob> logprobs);
  void OnPiece(size_t task, CompletionPiece piece);
  void OnEnd(size_t task, const CompletionEnd& end);
  void Write(const std::string& text);
  void Finish();

  const Context context_;
  std::mutex mutex_;  // of what follows: Submit() may still be at work when the first task ends
  std::unique_ptr<Reply> reply_;
  ApiResponse response_;
  const bool stream_;
  const size_t tasks_;
  size_t ended_ = 0;
  std::optional<ApiError> error_;   // of the first task that failed
  std::atomic<bool> left_ = false;  // the client
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_COMPLETION_CALL_H_
