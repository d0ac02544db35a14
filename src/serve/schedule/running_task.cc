// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule/running_task.h"

#include <algorithm>

#include "engine/embedding.h"
#include "serve/schedule/token_logprobs.h"
#include "text/stop_strings.h"

namespace bitfetch {

Result<std::unique_ptr<RunningTask>> RunningTask::Create(
    CompletionTask task, std::unique_ptr<CompletionListener> listener, const Tokenizer& tokenizer) {
  BITFETCH_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(task.sampling));
  BITFETCH_ASSIGN_OR_RETURN(StopStrings stops, StopStrings::Create(task.generate.stops));
  return std::unique_ptr<RunningTask>(new RunningTask(std::move(task), std::move(listener),
                                                      tokenizer, std::move(sampler),
                                                      AnswerText(std::move(stops))));
}

Status RunningTask::Start(Engine& engine, PastTexts* past) {
  BITFETCH_ASSIGN_OR_RETURN(sequence_, engine.NewSequence(task_.salt));
  past_ = past;
  if (!drafter_) {
    drafter_.emplace(task_.generate.draft, PastTexts::Trail(*past, sequence_->root()));
  }
  Adopt(engine);
  return {};
}

bool RunningTask::Adopt(Engine& engine) {
  if (NeedsPromptLogprobs()) return false;
  bool is_coming = false;
  engine.Adopt(*sequence_, std::span(tokens_).subspan(sequence_->length()), &is_coming);
  // What some sequence of this task has had before is no hit.
  end_.cached_tokens += std::max<int64_t>(sequence_->length() - computed_, 0);
  computed_ = std::max(computed_, sequence_->length());
  return is_coming;
}

bool RunningTask::MayWaitFor(const RunningTask& other) const {
  if (NeedsPromptLogprobs() || task_.salt != other.task_.salt) return false;
  const int64_t end = sequence_->length() / kTileTokens * kTileTokens + kTileTokens;
  if (end >= std::ssize(tokens_) || end > std::ssize(other.tokens_)) return false;
  return other.sequence_->length() >= sequence_->length() && other.sequence_->length() < end &&
         std::equal(tokens_.begin(), tokens_.begin() + end, other.tokens_.begin());
}

// And which logits are wanted behind them.
std::vector<int> RunningTask::Guess(Engine& engine, int64_t max, int64_t others) {
  drafter_->Append(std::span(tokens_).subspan(drafter_->length()));
  max = std::min(max, sequence_->context() - std::ssize(tokens_));
  if (task_.generate.max_tokens >= 0) {
    max = std::min(max, task_.generate.max_tokens - end_.tokens - 1);
  }
  std::vector<int> guesses = drafter_->Guess(max, engine.pass_cost(), others);
  wanted_.clear();
  if (guesses.empty()) return guesses;
  std::vector<int> tokens = tokens_;
  // A copy: what is allowed must not follow from what was tried.
  std::optional<ConstrainedText> text;
  if (constrained_) text.emplace(*constrained_);
  for (const int guess : guesses) {
    if (text) {
      if (!text->Allowed().Has(guess)) break;
      text->Append(tokenizer_.TokenBytes(guess));
      if (text->must_end()) break;
    }
    tokens.push_back(guess);
    wanted_.push_back(Wanted(tokens, text));
  }
  guesses.resize(wanted_.size());
  return guesses;
}

SequencePiece RunningTask::NextPiece(Engine& engine, int64_t rows, int64_t max_guesses,
                                     int64_t others) {
  if (!std::exchange(was_started_, true)) {
    end_.queue_seconds = since_.Seconds();
    end_.prompt_tokens = std::ssize(task_.prompt);
    since_ = {};
  }
  const auto next = std::span<const int>(tokens_).subspan(sequence_->length());
  SequencePiece piece{.sequence = &*sequence_,
                      .tokens = next.first(std::min<size_t>(next.size(), rows))};
  if (next.size() == 1 && was_read_ && may_guess_) {
    piece_ = Guess(engine, max_guesses, others);
    piece.guesses = std::ssize(piece_);
    piece_.insert(piece_.begin(), next.front());
    piece.tokens = piece_;
  }
  if (NeedsPromptLogprobs()) {
    logits_.resize(piece.tokens.size() * engine.model().config().vocab);
    piece.logits = logits_.data();
  }
  return piece;
}

void RunningTask::OnRun(const SequencePiece& piece) {
  if (!piece.status && piece.guesses > 0) {
    may_guess_ = false;  // it is tried again without
    return;
  }
  if (!piece.status) return Fail(piece.status.error());
  computed_ = std::max(computed_, sequence_->length());
  if (piece.logits != nullptr) {
    const size_t vocab = logits_.size() / piece.tokens.size();
    const size_t before = sequence_->length() - piece.tokens.size();
    for (size_t i = 0; i < piece.tokens.size() && NeedsPromptLogprobs(); ++i) {
      if (before + i < prompt_logprobs_.size()) continue;
      prompt_logprobs_.push_back(LogprobOf(task_.prompt[before + i + 1],
                                           std::span(logits_).subspan(i * vocab, vocab),
                                           std::max(task_.top_logprobs, 0)));
    }
  }
  if (left() > 0 || std::exchange(was_read_, true)) return;
  logits_ = {};
  if (task_.embeds) {
    Result<std::vector<float>> embedding = Embedding(*sequence_);
    if (!embedding) return Fail(std::move(embedding).error());
    end_.embedding = *std::move(embedding);
    return End(StopReason::kTokens);
  }
  if (task_.prompt_logprobs) listener_->OnPrompt(std::move(prompt_logprobs_));
  if (task_.generate.max_tokens == 0) End(StopReason::kTokens);
}

LogitsWanted RunningTask::Wanted(std::span<const int> tokens,
                                 std::optional<ConstrainedText>& text) const {
  if (task_.top_logprobs >= 0) return {};
  LogitsWanted wanted = sampler_.Wanted(tokens);
  return text ? text->Wanted(tokenizer_.StopTokens(), std::move(wanted)) : wanted;
}

void RunningTask::AddQueries(std::vector<LogitsQuery>* queries) {
  queries->push_back({.sequence = &*sequence_, .wanted = Wanted(tokens_, constrained_)});
  for (size_t i = 0; i < sequence_->guesses().size(); ++i) {
    queries->push_back(
        {.sequence = &*sequence_, .guesses = static_cast<int64_t>(i) + 1, .wanted = wanted_[i]});
  }
}

void RunningTask::OnLogits(const Engine& engine, std::span<LogitsQuery> queries) {
  for (LogitsQuery& query : queries) {
    Draw(query);
    if (is_over()) return;
    const std::vector<int>& guesses = sequence_->guesses();
    if (guesses.empty() || guesses.front() != tokens_.back()) break;
    engine.Accept(*sequence_);
  }
  sequence_->Truncate(sequence_->length());
  computed_ = std::max(computed_, sequence_->length());
}

void RunningTask::Draw(LogitsQuery& query) {
  if (!query.status) return Fail(query.status.error());
  std::vector<float> all;  // how likely tokens are does not depend on what is allowed
  if (task_.top_logprobs >= 0) {
    all.resize(query.logits.size());
    std::ranges::transform(query.logits, all.begin(), &Logit::value);
  }
  if (constrained_) constrained_->Filter(tokenizer_.StopTokens(), &query.logits);
  const int token = sampler_.Sample(query.logits, tokens_);
  if (task_.top_logprobs >= 0) logprobs_.push_back(LogprobOf(token, all, task_.top_logprobs));
  if (++end_.tokens == 1) {
    end_.prompt_seconds = since_.Seconds();
    since_ = {};
  }
  if (std::ranges::binary_search(tokenizer_.StopTokens(), token)) {
    return End(StopReason::kStopToken);
  }
  Tell(text_.Feed(tokenizer_.TokenBytes(token)));
  if (!text_.stop().empty()) return End(StopReason::kStopString);
  if (constrained_) {
    constrained_->Append(tokenizer_.TokenBytes(token));
    if (constrained_->must_end()) return End(StopReason::kStopToken);
  }
  if (end_.tokens == task_.generate.max_tokens) return End(StopReason::kTokens);
  if (sequence_->length() == sequence_->context()) return End(StopReason::kContextFull);
  tokens_.push_back(token);
}

void RunningTask::Tell(std::string text) {
  if (text.empty() && logprobs_.empty()) return;
  listener_->OnPiece({.text = std::move(text), .logprobs = std::exchange(logprobs_, {})});
}

void RunningTask::End(StopReason reason) {
  Tell(text_.Finish());
  end_.reason = reason;
  end_.stop_string = text_.stop();
  Finish();
}

void RunningTask::Fail(Error error) {
  if (is_over()) return;
  end_.status = tl::unexpected(std::move(error));
  Finish();
}

// For texts to come. What was in the KV cache is part of another text, which they know, too.
void RunningTask::Remember() const {
  if (!sequence_ || task_.embeds || task_.generate.draft == kDraftOff) return;
  const int64_t known = std::max<int64_t>(end_.cached_tokens - PastTexts::kCounted, 0);
  const std::span<const int> text = sequence_->tokens();
  if (known < std::ssize(text)) past_->Add(sequence_->root(), text.subspan(known));
}

void RunningTask::Finish() {
  double& stage = !was_started_      ? end_.queue_seconds
                  : end_.tokens == 0 ? end_.prompt_seconds
                                     : end_.generate_seconds;
  stage = since_.Seconds();
  const auto listener = std::move(listener_);
  Remember();
  Stop();
  listener->OnEnd(end_);
}

}  // namespace bitfetch
