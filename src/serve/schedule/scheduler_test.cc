// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <random>
#include <set>

#include "base/json_value.h"
#include "base/temp_dir.h"
#include "base/test_effort.h"
#include "engine/generate.h"
#include "serve/schedule/test_scheduler.h"
#include "serve/schedule/token_logprobs.h"
#include "text/constraint/test_validator.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

// What `bitfetch generate --draft off` writes.
Heard Alone(Session& session, const Tokenizer& tokenizer, const CompletionTask& task) {
  Heard heard;
  session.Truncate(0);
  Sampler sampler = Sampler::Create(task.sampling).value();
  const auto on_text = [&](std::string_view text) {
    heard.text += text;
    return true;
  };
  GenerateOptions options = task.generate;
  options.draft = kDraftOff;
  const Generated made =
      Generate(session, tokenizer, sampler, task.prompt, options, on_text, {}, false).value();
  heard.end.reason = made.reason;
  heard.end.tokens = made.tokens;
  return heard;
}

class SchedulerTest : public SchedulerFixture {
 protected:
  void ExpectEachAsAlone(EngineOptions options, int tasks);
};

// Tasks that come and go, share beginnings and have too little room, so that some are preempted.
void SchedulerTest::ExpectEachAsAlone(EngineOptions options, int tasks) {
  options.kv_tokens = 600;
  Open({.parallel = 12, .prefill_step = 7}, options);
  const auto session = Session::Open(kTiny, QuietOptions()).value();
  const std::string story =
      "In the beginning God created the heaven and the earth. And the earth "
      "was without form, and void; and darkness was upon the face of the "
      "deep. And the Spirit of God moved upon the face of the waters.";
  std::mt19937 random(11);
  struct Sent {
    CompletionTask task;
    Submitted submitted;
    bool cancelled;
  };
  std::vector<Sent> all;
  for (int i = 0; i < tasks; ++i) {
    CompletionTask task;
    task.prompt = Ids(story.substr(0, 1 + random() % story.size()));
    task.sampling.seed = random();
    if (random() % 4 == 0) task.sampling.temperature = 0;
    if (random() % 4 == 0) task.sampling.repeat_penalty = 1.3;
    task.generate.max_tokens = random() % 3 == 0 ? -1 : random() % 60;
    if (random() % 3 == 0) task.generate.stops = {"LORD", " and"};
    if (random() % 5 == 0) task.top_logprobs = 3;
    if (random() % 3 > 0) task.generate.draft = static_cast<int>(random() % 17);
    task.client = std::to_string(random() % 3);
    all.push_back({task, Submit(task), random() % 8 == 0});
    if (all.back().cancelled) scheduler_->Cancel({&all.back().submitted.id, 1});
    if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
  }
  for (Sent& sent : all) {
    const Heard heard = sent.submitted.heard.get();
    const Heard alone = Alone(*session, tokenizer_, sent.task);
    ASSERT_TRUE(heard.end.status) << heard.end.status.error().message;
    if (heard.end.reason == StopReason::kInterrupted) {
      EXPECT_TRUE(sent.cancelled);
      EXPECT_TRUE(alone.text.starts_with(heard.text));
      continue;
    }
    EXPECT_EQ(heard.text, alone.text);
    EXPECT_EQ(heard.end.reason, alone.end.reason);
    EXPECT_EQ(heard.end.tokens, alone.end.tokens);
    EXPECT_EQ(heard.end.prompt_tokens, std::ssize(sent.task.prompt));
  }
  ASSERT_TRUE(scheduler_->Drain(std::chrono::steady_clock::now() + std::chrono::minutes(1)));
  EXPECT_EQ(scheduler_->Stats().running, 0);
  EXPECT_EQ(scheduler_->Stats().kv_usage, 0);
  EXPECT_EQ(engine_->pool().Available(), engine_->pool().limit());
}

TEST_F(SchedulerTest, EachGetsWhatItWouldGetAlone) {
  ExpectEachAsAlone(QuietOptions(), kIsSlow ? 16 : 36);
  EXPECT_GT(scheduler_->Stats().preemptions, 0);
}

// Before and after a restart, and where the folder has room for a part.
TEST_F(SchedulerTest, EachGetsWhatItWouldGetAloneFromDiskToo) {
  const TempDir folder;
  EngineOptions options = QuietOptions();
  options.store.cache_dir = folder.Path("kv");
  for (int run = 0; run < 2; ++run) ExpectEachAsAlone(options, kIsSlow ? 4 : 24);
  options.store.cache_disk_bytes = 300'000;
  for (int run = 0; run < 2; ++run) ExpectEachAsAlone(options, kIsSlow ? 4 : 24);
}

TEST_F(SchedulerTest, APromptThatWasReadBeforeARestartIsThere) {
  const TempDir folder;
  EngineOptions options = QuietOptions();
  options.store.cache_dir = folder.Path("kv");
  CompletionTask task{.prompt = Ids(std::string(200, 'x')), .generate = {.max_tokens = 1}};
  const int64_t full = (std::ssize(task.prompt) - 1) / kTileTokens * kTileTokens;
  Open({}, options);
  EXPECT_EQ(Run(task).end.cached_tokens, 0);
  Open({}, options);
  EXPECT_EQ(Run(task).end.cached_tokens, full);
}

TEST_F(SchedulerTest, TellsHowMuchOfAPromptWasThere) {
  Open();
  CompletionTask task{.prompt = Ids(std::string(200, 'x')), .generate = {.max_tokens = 1}};
  const int64_t tokens = std::ssize(task.prompt);
  ASSERT_GT(tokens, 33);
  EXPECT_EQ(Run(task).end.cached_tokens, 0);
  EXPECT_EQ(Run(task).end.cached_tokens, (tokens - 1) / kTileTokens * kTileTokens);
  task.salt = "another tenant";
  EXPECT_EQ(Run(task).end.cached_tokens, 0);
}

// The choices of one request, say.
TEST_F(SchedulerTest, APromptThatSeveralHaveAtOnceIsReadOnce) {
  EngineOptions options = QuietOptions();
  options.kv_tokens = 2048;
  Open({}, options);
  const CompletionTask task{.prompt = Ids(std::string(200, 'x')), .generate = {.max_tokens = 3}};
  std::vector<std::unique_ptr<RunningTask>> tasks;
  std::vector<std::future<Heard>> heard(4);
  for (std::future<Heard>& one : heard) tasks.push_back(Make(task, &one));
  ASSERT_TRUE(scheduler_->Submit(std::move(tasks)));
  const int64_t blocks = (std::ssize(task.prompt) - 1) / kTileTokens;
  EXPECT_EQ(heard[0].get().end.cached_tokens, 0);
  for (size_t i = 1; i < heard.size(); ++i) {
    EXPECT_EQ(heard[i].get().end.cached_tokens, blocks * kTileTokens) << i;
  }
}

TEST_F(SchedulerTest, TellsHowLikelyThePromptAndTheAnswerWere) {
  Open({.prefill_step = 5});
  CompletionTask task{.prompt = Ids("In the beginning God created the heaven and the earth."),
                      .sampling = {},
                      .generate = {.max_tokens = 6},
                      .top_logprobs = 2,
                      .prompt_logprobs = true};
  const Submitted other = Submit({.prompt = Ids("And"), .generate = {.max_tokens = 100}});
  const Heard heard = Run(task);
  const auto session = Session::Open(kTiny, QuietOptions()).value();
  const size_t vocab = session->model().config().vocab;
  std::vector<float> logits(task.prompt.size() * vocab);
  ASSERT_TRUE(session->AppendBatch(task.prompt, logits.data()));
  ASSERT_EQ(heard.prompt.size() + 1, task.prompt.size());
  for (size_t i = 0; i < heard.prompt.size(); ++i) {
    const TokenLogprob expected =
        LogprobOf(task.prompt[i + 1], std::span(logits).subspan(i * vocab, vocab), 2);
    EXPECT_EQ(heard.prompt[i].id, expected.id);
    EXPECT_EQ(heard.prompt[i].logprob, expected.logprob);
    ASSERT_EQ(heard.prompt[i].top.size(), 2u);
    EXPECT_EQ(heard.prompt[i].top[1].id, expected.top[1].id);
  }
  ASSERT_EQ(heard.logprobs.size(), 6u);
  const TokenLogprob first = LogprobOf(heard.logprobs[0].id, std::span(logits).last(vocab), 2);
  EXPECT_EQ(heard.logprobs[0].id, first.top[0].id);  // greedy
  EXPECT_EQ(heard.logprobs[0].logprob, first.logprob);

  task.generate.max_tokens = 0;
  const Heard prompt_only = Run(task);
  EXPECT_EQ(prompt_only.prompt.size(), heard.prompt.size());
  EXPECT_EQ(prompt_only.end.tokens, 0);
  EXPECT_GT(prompt_only.end.prompt_seconds, 0);
}

TEST_F(SchedulerTest, RefusesMoreThanItsQueueHolds) {
  Open({.parallel = 1, .queue = 2});
  std::vector<Submitted> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(Submit({.prompt = Ids("In")}));
  std::vector<std::unique_ptr<RunningTask>> tasks;
  std::future<Heard> unheard;
  tasks.push_back(Make({.prompt = Ids("In")}, &unheard));
  EXPECT_EQ(scheduler_->Submit(std::move(tasks)).error(), Scheduler::Refusal::kQueueFull);
  for (Submitted& one : taken) {
    scheduler_->Cancel({&one.id, 1});
    EXPECT_EQ(one.heard.get().end.reason, StopReason::kInterrupted);
  }
  EXPECT_EQ(Run({.prompt = Ids("In"), .generate = {.max_tokens = 2}}).end.tokens, 2);
}

TEST_F(SchedulerTest, TakesMoreThanItsQueueHoldsAtOnceWhileAPlaceIsFree) {
  Open({.parallel = 2, .queue = 1});
  const CompletionTask task{.prompt = Ids("In"), .generate = {.max_tokens = kIsSlow ? 50 : 200}};
  Submitted running = Submit(task);
  std::vector<std::unique_ptr<RunningTask>> many, one;
  std::vector<std::future<Heard>> heard(5);
  std::future<Heard> unheard;
  for (std::future<Heard>& each : heard) many.push_back(Make(task, &each));
  one.push_back(Make(task, &unheard));
  EXPECT_TRUE(scheduler_->Submit(std::move(many)));
  EXPECT_EQ(scheduler_->Submit(std::move(one)).error(), Scheduler::Refusal::kQueueFull);
  const std::string text = running.heard.get().text;
  for (std::future<Heard>& each : heard) EXPECT_EQ(each.get().text, text);
}

TEST_F(SchedulerTest, FinishesWhatItHasWhenDraining) {
  Open();
  Submitted last = Submit({.prompt = Ids("In"), .generate = {.max_tokens = 20}});
  EXPECT_TRUE(scheduler_->Drain(std::chrono::steady_clock::now() + std::chrono::minutes(1)));
  EXPECT_EQ(last.heard.get().end.tokens, 20);
  std::vector<std::unique_ptr<RunningTask>> tasks;
  std::future<Heard> unheard;
  tasks.push_back(Make({.prompt = Ids("In")}, &unheard));
  EXPECT_EQ(scheduler_->Submit(std::move(tasks)).error(), Scheduler::Refusal::kDraining);
}

TEST_F(SchedulerTest, EndsWhatRunsWhenItEnds) {
  Open({.parallel = 1});
  Submitted running = Submit({.prompt = Ids("In")});
  Submitted waiting = Submit({.prompt = Ids("In")});
  scheduler_.reset();
  EXPECT_EQ(running.heard.get().end.reason, StopReason::kInterrupted);
  EXPECT_EQ(waiting.heard.get().end.reason, StopReason::kInterrupted);
}

// One client's crowd does not keep another waiting.
TEST_F(SchedulerTest, ClientsTakeTurns) {
  Open({.parallel = 2});
  std::vector<Submitted> crowd;
  for (int i = 0; i < 8; ++i) {
    crowd.push_back(
        Submit({.prompt = Ids("In"), .generate = {.max_tokens = 60}, .client = "crowd"}));
  }
  const Heard other = Run({.prompt = Ids("And"), .generate = {.max_tokens = 1}, .client = "other"});
  EXPECT_TRUE(other.end.status);
  EXPECT_EQ(crowd.back().heard.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
}

TEST_F(SchedulerTest, ATaskThatIsWrongFailsAlone) {
  Open();
  Submitted right = Submit({.prompt = Ids("In"), .generate = {.max_tokens = 20}});
  EXPECT_THAT(Run({.prompt = {1, 1 << 30}}).end.status.error().message, HasSubstr("1073741824"));
  EXPECT_EQ(right.heard.get().end.tokens, 20);
}

// Has no memory for what it hears.
class ShortHearer : public Hearer {
 public:
  using Hearer::Hearer;
  void OnPiece(CompletionPiece) override { throw std::bad_alloc(); }
};
class DeafHearer : public ShortHearer {
 public:
  using ShortHearer::ShortHearer;
  void OnEnd(CompletionEnd) override { throw std::bad_alloc(); }
};

TEST_F(SchedulerTest, WhereMemoryRunsOutOneTaskFailsAndTheRestGoesOn) {
  Open();
  const CompletionTask task{.prompt = Ids("In"), .generate = {.max_tokens = 40}};
  const std::string alone = Run(task).text;
  Submitted deaf = Submit<DeafHearer>(task);
  Submitted short_of_memory = Submit<ShortHearer>(task);
  EXPECT_EQ(Run(task).text, alone);
  EXPECT_EQ(short_of_memory.heard.get().end.status.error().message, "out of memory");
  EXPECT_THROW(deaf.heard.get(), std::future_error);
  EXPECT_TRUE(scheduler_->Drain(std::chrono::steady_clock::now() + std::chrono::minutes(1)));
  EXPECT_EQ(scheduler_->Stats().running, 0);
}

TEST_F(SchedulerTest, AnEmbeddingIsThatOfTheSequence) {
  Open();
  const Heard heard = Run({.prompt = Ids("In the beginning"), .embeds = true});
  EXPECT_EQ(std::ssize(heard.end.embedding), engine_->model().config().hidden);
  EXPECT_EQ(heard.end.tokens, 0);
}

// Up to its mark an answer is what it is without a constraint, but that it doesn't end there.
TEST_F(SchedulerTest, AnAnswerIsFreeUpToAMark) {
  Open();
  const std::string mark = ", and";  // two tokens
  ASSERT_EQ(Ids("the earth, and").size(), Ids("the earth").size() + 2);
  std::vector<std::string_view> tokens;
  for (int id = 0; id < tokenizer_.size(); ++id) tokens.push_back(tokenizer_.TokenBytes(id));
  const JsonValue schema = ParseJson(R"({"enum": ["God", ["LORD", "king"], 7]})").value();
  const auto constraint =
      Constraint::Create({Form::Sequence{{{Form::Until{mark}}, {Form::Schema{schema}}}}},
                         std::make_shared<TokenTries>(tokens))
          .value();
  int ended = 0;
  for (int seed = 0; seed < Rounds(12); ++seed) {
    CompletionTask task{.prompt = Ids("In the beginning"), .generate = {.max_tokens = 100}};
    task.sampling.seed = seed;
    if (seed % 4 == 3) task.sampling.repeat_penalty = 1.2;
    const std::string free = Run(task).text;
    task.constraint = constraint;
    const Heard heard = Run(task);
    const size_t end = std::min(free.find(mark), free.size());
    EXPECT_EQ(heard.text.substr(0, end), free.substr(0, end));
    if (heard.end.reason == StopReason::kStopToken) {
      ++ended;
      const auto behind = ParseJson(heard.text.substr(heard.text.find(mark) + mark.size()));
      ASSERT_TRUE(behind) << heard.text;
      EXPECT_TRUE(Validator(schema).Meets(*behind)) << heard.text;
    } else {
      EXPECT_EQ(heard.end.reason, StopReason::kTokens);
    }
    task.generate.draft = 1 + seed;
    EXPECT_EQ(Run(task).text, heard.text);
    task.top_logprobs = 0;  // from all logits
    EXPECT_EQ(Run(task).text, heard.text);
  }
  if (!kIsSlow) {
    EXPECT_GT(ended, 6);
  }
}

// The tiny model knows no JSON: all of it is the constraint's doing.
TEST_F(SchedulerTest, AConstrainedAnswerIsWhatItMustBe) {
  Open({.parallel = 3});
  std::vector<std::string_view> tokens;
  for (int id = 0; id < tokenizer_.size(); ++id) tokens.push_back(tokenizer_.TokenBytes(id));
  const JsonValue schema = ParseJson(R"({"type": "object", "properties": {
      "verses": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 3},
      "book": {"enum": ["Genesis", "Exodus"]}, "sure": {"type": ["boolean", "null"]}},
      "required": ["verses", "book", "sure"], "additionalProperties": false})")
                               .value();
  const auto constraint =
      Constraint::Create({Form::Schema{schema}}, std::make_shared<TokenTries>(tokens)).value();
  std::set<std::string> answers;
  for (int i = 0; i < (kIsSlow ? 8 : 12); ++i) {
    CompletionTask task{.prompt = Ids("In the beginning"), .constraint = constraint};
    task.sampling.seed = i;
    task.sampling.temperature = i % 3;
    if (i % 2 == 0) task.top_logprobs = 1;
    task.generate.draft = 1 + i;
    Submitted again = Submit(task);
    task.generate.draft = kDraftOff;
    const Heard heard = Run(task);
    EXPECT_EQ(again.heard.get().text, heard.text);
    ASSERT_EQ(heard.end.reason, StopReason::kStopToken) << heard.text;
    const JsonValue answer = ParseJson(heard.text).value();
    const auto* verses = answer.Find<JsonValue::List>("verses");
    ASSERT_NE(verses, nullptr) << heard.text;
    EXPECT_LE(verses->size(), 3u);
    EXPECT_THAT(*answer.Find<std::string>("book"), testing::AnyOf("Genesis", "Exodus"));
    EXPECT_EQ(answer.As<JsonValue::Object>()->back().key, "sure");
    answers.insert(heard.text);
  }
  EXPECT_GT(answers.size(), kIsSlow ? 2u : 4u);
}

}  // namespace
}  // namespace bitfetch
