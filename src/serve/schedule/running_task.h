// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_SCHEDULE_RUNNING_TASK_H_
#define BITFETCH_SERVE_SCHEDULE_RUNNING_TASK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/drafter.h"
#include "engine/engine.h"
#include "engine/past_texts.h"
#include "engine/sequence.h"
#include "machine/clock.h"
#include "serve/schedule/completion.h"
#include "text/answer_text.h"
#include "text/constraint/constraint.h"
#include "text/sampler.h"
#include "text/tokenizer.h"

namespace bitfetch {

// A task on its way: how far it is, and what comes next. It may lose its sequence between two steps
// and is computed again with another, which nobody who listens can tell. One thread at a time uses
// it.
class RunningTask {
 public:
  // Errors: what the sampler or the stop strings refuse. The tokenizer must outlive the task.
  static Result<std::unique_ptr<RunningTask>> Create(CompletionTask task,
                                                     std::unique_ptr<CompletionListener> listener,
                                                     const Tokenizer& tokenizer);

  // From now on it has a sequence, with what KV there is for its tokens. Its text is guessed from
  // past ones, too, and becomes one of them when it is over.
  Status Start(Engine& engine, PastTexts* past);
  // Gives the KV back.
  void Stop() { sequence_.reset(); }
  const Sequence& sequence() const { return *sequence_; }

  // Tokens that must be appended before the next one can be drawn.
  int64_t left() const { return std::ssize(tokens_) - sequence_->length(); }

  // Takes what KV is there by now for tokens that come next. Whether more is on its way, which it
  // then had better wait for.
  bool Adopt(Engine& engine);
  // Whether it would compute a block that `other`, which is further, is about to compute.
  bool MayWaitFor(const RunningTask& other) const;
  // The next of them, at most `rows`, and behind the last what of guesses pays, at most
  // `max_guesses`, in a pass that has `others` rows besides.
  SequencePiece NextPiece(Engine& engine, int64_t rows, int64_t max_guesses, int64_t others);
  // They were appended, or not.
  void OnRun(const SequencePiece& piece);

  // What the next token is drawn from, and those behind it, where they are as guessed.
  void AddQueries(std::vector<LogitsQuery>* queries);
  void OnLogits(const Engine& engine, std::span<LogitsQuery> queries);

  // Nothing comes any more. OnRun and OnLogits may find that out, too. One that is over can't fail.
  void End(StopReason reason);
  void Fail(Error error);
  bool is_over() const { return listener_ == nullptr; }

  const CompletionTask& task() const { return task_; }
  // What it has come to.
  const CompletionEnd& counts() const { return end_; }

 private:
  RunningTask(CompletionTask task, std::unique_ptr<CompletionListener> listener,
              const Tokenizer& tokenizer, Sampler sampler, AnswerText text)
      : task_(std::move(task)),
        listener_(std::move(listener)),
        tokenizer_(tokenizer),
        sampler_(std::move(sampler)),
        text_(std::move(text)),
        tokens_(task_.prompt) {
    if (task_.constraint != nullptr) constrained_.emplace(task_.constraint);
  }

  bool NeedsPromptLogprobs() const {
    return task_.prompt_logprobs && !was_read_ && prompt_logprobs_.size() + 1 < task_.prompt.size();
  }
  std::vector<int> Guess(Engine& engine, int64_t max, int64_t others);
  LogitsWanted Wanted(std::span<const int> tokens, std::optional<ConstrainedText>& text) const;
  void Draw(LogitsQuery& query);
  void Tell(std::string text);
  void Remember() const;
  void Finish();

  CompletionTask task_;
  std::unique_ptr<CompletionListener> listener_;  // null: it has heard the end
  const Tokenizer& tokenizer_;
  Sampler sampler_;
  AnswerText text_;
  std::optional<ConstrainedText> constrained_;
  std::optional<Drafter> drafter_;  // from the first start on
  PastTexts* past_ = nullptr;
  std::vector<int> tokens_;           // the prompt, and those drawn that the answer goes on from
  std::optional<Sequence> sequence_;  // has the first of them
  std::vector<int> piece_;            // a token and guesses behind it
  std::vector<LogitsWanted> wanted_;  // behind each of those
  bool may_guess_ = true;
  std::vector<float> logits_;  // of a piece of the prompt, [tokens][vocab]
  std::vector<TokenLogprob> prompt_logprobs_;
  std::vector<TokenLogprob> logprobs_;  // not yet told
  CompletionEnd end_;
  Stopwatch since_;  // it came, it was started first, the first token was drawn
  bool was_started_ = false;
  bool was_read_ = false;  // the prompt, to its end
  int64_t computed_ = 0;   // tokens that some sequence of it has had
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_SCHEDULE_RUNNING_TASK_H_
