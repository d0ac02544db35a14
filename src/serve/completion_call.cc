// SPDX-License-Identifier: Apache-2.0
#include "serve/completion_call.h"

#include <utility>

#include "machine/clock.h"
#include "serve/schedule/running_task.h"

namespace bitfetch {

class CompletionCall::Listener : public CompletionListener {
 public:
  Listener(std::shared_ptr<CompletionCall> call, size_t task)
      : call_(std::move(call)), task_(task) {}

  void OnPrompt(std::vector<TokenLogprob> logprobs) override {
    call_->OnPrompt(task_, std::move(logprobs));
  }
  void OnPiece(CompletionPiece piece) override {
    Metrics& metrics = *call_->context_.metrics;
    if (!std::exchange(has_piece_, true)) {
      metrics.OnFirstToken(since_.Seconds());
    } else {
      metrics.OnNextToken(since_.Seconds());
    }
    since_ = {};
    call_->OnPiece(task_, std::move(piece));
  }
  void OnEnd(CompletionEnd end) override {
    call_->context_.metrics->OnEnd(end, since_request_.Seconds());
    call_->OnEnd(task_, end);
  }

 private:
  std::shared_ptr<CompletionCall> call_;
  size_t task_;
  Stopwatch since_request_;
  Stopwatch since_;  // the request, then the last piece
  bool has_piece_ = false;
};

void CompletionCall::Start(CompletionRequest request, ApiResponse response,
                           const Context& context) {
  std::vector<CompletionTask> tasks = std::move(request.tasks);
  std::make_shared<CompletionCall>(std::move(request.reply), tasks.size(), request.stream,
                                   std::move(response), context)
      ->Submit(std::move(tasks));
}

void CompletionCall::Submit(std::vector<CompletionTask> tasks) {
  std::vector<std::unique_ptr<RunningTask>> running;
  for (size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].generate.draft = context_.draft;
    auto task =
        RunningTask::Create(std::move(tasks[i]), std::make_unique<Listener>(shared_from_this(), i),
                            *context_.tokenizer);
    if (!task) return response_.Fail({.message = task.error().message});
    running.push_back(*std::move(task));
  }
  const std::lock_guard lock(mutex_);  // what tasks tell comes behind the stream's beginning
  auto ids = context_.scheduler->Submit(std::move(running));
  if (!ids) {
    return response_.Fail(ids.error() == Scheduler::Refusal::kQueueFull
                              ? HttpError(429, "too many requests wait already: try again soon")
                              : ShuttingDown());
  }
  response_.OnClosed(
      [weak = weak_from_this(), scheduler = context_.scheduler, ids = *std::move(ids)] {
        if (const auto call = weak.lock()) call->left_ = true;
        scheduler->Cancel(ids);
      });
  if (!stream_) return;
  response_.StartStream(context_.ping_interval, reply_->Ping());
  Write(reply_->Begin());
}

void CompletionCall::Write(const std::string& text) {
  if (!text.empty()) response_.Write(text);
}

void CompletionCall::OnPrompt(size_t task, std::vector<TokenLogprob> logprobs) {
  const std::lock_guard lock(mutex_);
  Write(reply_->OnPrompt(task, std::move(logprobs)));
}

void CompletionCall::OnPiece(size_t task, CompletionPiece piece) {
  const std::lock_guard lock(mutex_);
  RequestRecord& record = response_.record();
  if (record.first_token_seconds == 0) record.first_token_seconds = response_.Seconds();
  Write(reply_->OnPiece(task, std::move(piece)));
}

void CompletionCall::OnEnd(size_t task, const CompletionEnd& end) {
  const std::lock_guard lock(mutex_);
  RequestRecord& record = response_.record();
  record.prompt_tokens += end.prompt_tokens;
  record.cached_tokens += end.cached_tokens;
  record.tokens += end.tokens;
  if (!end.status) {
    if (!error_) error_ = HttpError(500, end.status.error().message);
  } else if (end.reason == StopReason::kInterrupted) {
    error_ = ShuttingDown();
  } else {
    Write(reply_->OnEnd(task, end));
  }
  if (++ended_ == tasks_) Finish();
}

void CompletionCall::Finish() {
  if (left_) return response_.Abandon();
  if (!stream_) return error_ ? response_.Fail(*error_) : response_.Send(200, reply_->Finish());
  if (error_) response_.record().error = error_->message;
  Write(error_ ? reply_->Fail(*error_) : reply_->Finish());
  response_.Finish();
}

}  // namespace bitfetch
