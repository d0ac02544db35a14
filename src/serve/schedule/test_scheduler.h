// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_SCHEDULE_TEST_SCHEDULER_H_
#define BITFETCH_SERVE_SCHEDULE_TEST_SCHEDULER_H_

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/read_tokenizer.h"
#include "serve/schedule/scheduler.h"

namespace bitfetch {

inline const char* const kTiny = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

inline EngineOptions QuietOptions() {
  EngineOptions options{.threads = 2, .context = 256, .pages = PageSize::k4K};
  options.prefetch.mode = PrefetchSetting::Mode::kOff;
  return options;
}

// What one task has told.
struct Heard {
  std::vector<TokenLogprob> prompt;
  std::string text;
  std::vector<TokenLogprob> logprobs;
  CompletionEnd end;
};

class Hearer : public CompletionListener {
 public:
  explicit Hearer(std::promise<Heard> promise) : promise_(std::move(promise)) {}

  void OnPrompt(std::vector<TokenLogprob> logprobs) override {
    EXPECT_TRUE(heard_.text.empty());
    heard_.prompt = std::move(logprobs);
  }
  void OnPiece(CompletionPiece piece) override {
    heard_.text += piece.text;
    for (TokenLogprob& token : piece.logprobs) heard_.logprobs.push_back(std::move(token));
  }
  void OnEnd(CompletionEnd end) override {
    heard_.end = std::move(end);
    promise_.set_value(std::move(heard_));
  }

 private:
  std::promise<Heard> promise_;
  Heard heard_;
};

// A scheduler over the tiny model, and whoever asks it.
class SchedulerFixture : public testing::Test {
 protected:
  void Open(const SchedulerOptions& options = {}, const EngineOptions& engine = QuietOptions()) {
    scheduler_.reset();
    engine_.reset();
    engine_ = Engine::Open(kTiny, engine).value();
    scheduler_.emplace(engine_.get(), options);
  }

  struct Submitted {
    Scheduler::Id id;
    std::future<Heard> heard;
  };

  template <class Listener = Hearer>
  std::unique_ptr<RunningTask> Make(CompletionTask task, std::future<Heard>* heard) {
    std::promise<Heard> promise;
    *heard = promise.get_future();
    return RunningTask::Create(std::move(task), std::make_unique<Listener>(std::move(promise)),
                               tokenizer_)
        .value();
  }

  template <class Listener = Hearer>
  Submitted Submit(CompletionTask task) {
    Submitted submitted;
    std::vector<std::unique_ptr<RunningTask>> tasks;
    tasks.push_back(Make<Listener>(std::move(task), &submitted.heard));
    submitted.id = scheduler_->Submit(std::move(tasks)).value().front();
    return submitted;
  }
  Heard Run(CompletionTask task) { return Submit(std::move(task)).heard.get(); }

  std::vector<int> Ids(const std::string& text) { return tokenizer_.Encode(text, true).value(); }

  Tokenizer tokenizer_ = ReadTokenizer(GgufReader::Open(kTiny).value()).value();
  std::unique_ptr<Engine> engine_;
  std::optional<Scheduler> scheduler_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_SCHEDULE_TEST_SCHEDULER_H_
