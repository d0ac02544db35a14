// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/json_value.h"
#include "base/test_effort.h"
#include "serve/schedule/scheduler.h"
#include "serve/schedule/test_scheduler.h"
#include "text/constraint/constraint.h"
#include "text/test_sampling.h"

namespace bitfetch {
namespace {

class SchedulerDraftsTest : public SchedulerFixture {
 protected:
  SchedulerDraftsTest() {
    std::vector<std::string_view> tokens;
    for (int id = 0; id < tokenizer_.size(); ++id) tokens.push_back(tokenizer_.TokenBytes(id));
    const auto tries = std::make_shared<TokenTries>(tokens);
    const JsonValue verses =
        ParseJson(R"({"type": "array", "items": {"enum": ["And God", "And God said", 7]},
                      "minItems": 2, "maxItems": 4})")
            .value();
    const JsonValue book = ParseJson(R"({"type": "object", "properties": {
        "book": {"type": "string", "maxLength": 12}, "books": {"type": "integer"}}})")
                               .value();
    for (const Form& form :
         {Form{Form::Schema{verses}}, Form{Form::Schema{book}},
          Form{Form::Sequence{{{Form::Until{", and"}}, {Form::Schema{verses}}}}}}) {
      constraints_.push_back(Constraint::Create(form, tries).value());
    }
  }

  CompletionTask AnyTask(std::mt19937& random) {
    CompletionTask task;
    task.prompt = Ids(AnyPrompt(random));
    task.sampling = AnySampling(random);
    task.generate.max_tokens = static_cast<int64_t>(random() % 40);
    if (random() % 3 == 0) task.generate.stops = {"LORD", " th"};
    if (random() % 3 == 0) task.constraint = constraints_[random() % constraints_.size()];
    if (random() % 8 == 0) task.top_logprobs = static_cast<int>(random() % 3);
    return task;
  }

  std::vector<std::shared_ptr<const Constraint>> constraints_;
};

std::vector<std::pair<int, float>> Drawn(const Heard& heard) {
  std::vector<std::pair<int, float>> tokens;
  for (const TokenLogprob& token : heard.logprobs) tokens.emplace_back(token.id, token.logprob);
  return tokens;
}

// A thousand prompts, some of them alone and some with others in their passes.
TEST_F(SchedulerDraftsTest, GuessesChangeNoText) {
  std::mt19937 random(1);
  std::map<StopReason, int> ends;
  int penalised = 0, constrained = 0;
  int64_t guesses = 0, accepted = 0;
  for (const char* kv_types : {"f32", "f16", "bf16", "q8_0", "q4_0", "q8_0:q4_0"}) {
    EngineOptions options = QuietOptions();
    options.kv_types = ParseKvTypes(kv_types).value();
    options.screen_from_bytes = 0;
    for (const int parallel : {1, 3}) {
      Open({.parallel = parallel}, options);
      struct Asked {
        std::string name;
        std::vector<Submitted> drafts = {};  // off, auto, so many
      };
      std::vector<Asked> all;
      for (int i = 0; i < (kIsSlow ? 5 : 84); ++i) {
        CompletionTask task = AnyTask(random);
        penalised += task.sampling.repeat_penalty != 1 || task.sampling.frequency_penalty != 0 ||
                     task.sampling.presence_penalty != 0;
        constrained += task.constraint != nullptr;
        const int fixed = 1 + static_cast<int>(random() % 16);
        all.push_back({fmt::format("{}, {} at once, {}, draft {}", kv_types, parallel, i, fixed)});
        for (const int draft : {kDraftOff, kDraftAuto, fixed}) {
          task.generate.draft = draft;
          all.back().drafts.push_back(Submit(task));
        }
      }
      for (Asked& asked : all) {
        const Heard off = asked.drafts[0].heard.get();
        ++ends[off.end.reason];
        for (size_t i = 1; i < asked.drafts.size(); ++i) {
          const Heard heard = asked.drafts[i].heard.get();
          EXPECT_EQ(heard.text, off.text) << asked.name;
          EXPECT_TRUE(heard.end.status) << asked.name;
          EXPECT_EQ(heard.end.reason, off.end.reason) << asked.name;
          EXPECT_EQ(heard.end.stop_string, off.end.stop_string) << asked.name;
          EXPECT_EQ(heard.end.tokens, off.end.tokens) << asked.name;
          EXPECT_EQ(Drawn(heard), Drawn(off)) << asked.name;
        }
      }
      guesses += scheduler_->Stats().guesses;
      accepted += scheduler_->Stats().accepted;
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(guesses, accepted) << "no guess was wrong";
  EXPECT_GT(penalised, 0);
  EXPECT_GT(constrained, 0);
  for (const StopReason reason :
       {StopReason::kTokens, StopReason::kStopString, StopReason::kStopToken}) {
    EXPECT_GT(ends[reason], 0) << static_cast<int>(reason);
  }
}

TEST_F(SchedulerDraftsTest, WhatWasSaidBeforeIsGuessedForThoseWithTheSameSalt) {
  Open({.parallel = 1});
  CompletionTask task{.prompt = Ids("In the beginning"), .generate = {.max_tokens = 60}};
  task.sampling.seed = 3;
  task.generate.draft = kDraftOff;
  const std::string text = Run(task).text;
  task.generate.draft = 8;
  const auto accepted = [&](const std::string& salt) {
    task.salt = salt;
    const int64_t before = scheduler_->Stats().accepted;
    EXPECT_EQ(Run(task).text, text);
    while (scheduler_->Stats().running > 0) std::this_thread::yield();
    return scheduler_->Stats().accepted - before;
  };
  const int64_t alone = accepted("a");
  EXPECT_LT(alone, 20);
  EXPECT_GE(accepted("a"), 50) << "seven passes of nine tokens";
  EXPECT_EQ(accepted("b"), alone);
}

}  // namespace
}  // namespace bitfetch
