// SPDX-License-Identifier: Apache-2.0
#include "engine/continuation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/test_effort.h"
#include "engine/generate.h"
#include "engine/read_tokenizer.h"
#include "engine/session.h"
#include "text/test_sampling.h"

namespace bitfetch {
namespace {

const char* const kTinyRepeats = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

// An answer, and all that it leaves behind.
struct Answer {
  std::string text = {};
  StopReason reason = StopReason::kTokens;
  int64_t tokens = 0;
  std::vector<int> tail = {};
  std::vector<int> session = {};
  std::vector<uint32_t> logits = {};  // their bits
  bool operator==(const Answer&) const = default;
};

struct Asked {
  std::vector<int> prompt;
  SamplerOptions sampling;
  GenerateOptions options;
};

class ContinuationTest : public testing::Test {
 protected:
  static std::unique_ptr<Session> Open(const char* kv_types, int64_t context,
                                       int64_t kv_tokens = 0) {
    EngineOptions options{.threads = 1,
                          .context = context,
                          .kv_tokens = kv_tokens,
                          .kv_types = ParseKvTypes(kv_types).value()};
    options.prefetch.mode = PrefetchSetting::Mode::kOff;
    options.screen_from_bytes = 0;
    return Session::Open(kTinyRepeats, options).value();
  }

  // Twice with the same sampler: the second answer, a short one, goes on from the first and tells
  // whether KV cache and random numbers are what they would be.
  std::vector<Answer> Run(Session& session, Asked asked) {
    session.Truncate(0);
    Sampler sampler = Sampler::Create(asked.sampling).value();
    std::vector<int> prompt = asked.prompt;
    std::vector<Answer> answers;
    for (int i = 0; i < 2; ++i) {
      Answer answer;
      const auto on_text = [&](std::string_view text) {
        answer.text += text;
        return answer.text.size() < 150;
      };
      const auto made =
          Generate(session, tokenizer_, sampler, prompt, asked.options, on_text, {}, false);
      answer.session = session.tokens();
      if (!made) {
        answers.push_back(answer);
        answers.push_back({.text = made.error().message});
        break;
      }
      ++ends_[answer.reason = made->reason];
      answer.tokens = made->tokens;
      answer.tail = prompt = made->tail;
      const auto logits = session.Logits();
      for (const Logit& logit : logits.value()) {
        answer.logits.push_back(std::bit_cast<uint32_t>(logit.value));
      }
      EXPECT_EQ(session.cache().length(), session.length());
      EXPECT_EQ(made->tokens, made->draft.passes + made->draft.stood + (made->tokens > 0 ? 1 : 0));
      counts_.drafted += made->draft.drafted;
      counts_.stood += made->draft.stood;
      answers.push_back(answer);
      asked.options.max_tokens = 4;
    }
    return answers;
  }

  Asked AnyAsked(std::mt19937& random) {
    Asked asked;
    asked.prompt = tokenizer_.Encode(AnyPrompt(random), true).value();
    asked.sampling = AnySampling(random);
    asked.options.max_tokens = static_cast<int64_t>(random() % 40) - 1;
    if (random() % 3 == 0) asked.options.stops = {"LORD", " th"};
    return asked;
  }

  Tokenizer tokenizer_ = ReadTokenizer(GgufReader::Open(kTinyRepeats).value()).value();
  DraftCounts counts_;              // of all answers
  std::map<StopReason, int> ends_;  // how many ended so
};

// A thousand prompts.
TEST_F(ContinuationTest, DraftsChangeNothingThatAnAnswerIsOrLeavesBehind) {
  std::mt19937 random(1);
  for (const char* kv_types : {"f32", "f16", "bf16", "q8_0", "q4_0", "q8_0:q4_0"}) {
    for (const int64_t context : {64, 300}) {
      const auto session = Open(kv_types, context);
      for (int round = 0; round < (kIsSlow ? 4 : 84); ++round) {
        Asked asked = AnyAsked(random);
        asked.options.draft = kDraftOff;
        const std::vector<Answer> off = Run(*session, asked);
        const int fixed = round % 8 == 0 ? kMaxDraft : 1 + static_cast<int>(random() % 16);
        for (const int draft : {kDraftAuto, fixed}) {
          asked.options.draft = draft;
          EXPECT_EQ(Run(*session, asked), off)
              << kv_types << ", context " << context << ", round " << round << ", draft " << draft;
        }
      }
    }
  }
  EXPECT_GT(counts_.stood, 0);
  EXPECT_GT(counts_.drafted, counts_.stood) << "no guess was wrong";
  if (kIsSlow) return;
  for (const StopReason reason : {StopReason::kTokens, StopReason::kStopString,
                                  StopReason::kContextFull, StopReason::kInterrupted}) {
    EXPECT_GT(ends_[reason], 0) << static_cast<int>(reason);
  }
}

TEST_F(ContinuationTest, BlocksOfGuessesAreNotAdoptedAndThoseThatStoodAre) {
  const auto session = Open("f16", 300);
  Engine& engine = session->engine();
  const std::vector<int> text(100, 7);
  Sequence& sequence = session->sequence();
  SequencePiece piece{.sequence = &sequence, .tokens = text, .guesses = 90};
  ASSERT_TRUE(engine.Run({&piece, 1}));
  ASSERT_TRUE(piece.status);
  EXPECT_EQ(sequence.length(), 10);
  EXPECT_EQ(sequence.guesses(), std::vector<int>(90, 7));
  const auto adopted = [&] {
    Sequence other = engine.NewSequence().value();
    return engine.Adopt(other, text);
  };
  EXPECT_EQ(adopted(), 0);
  for (int i = 0; i < 30; ++i) engine.Accept(sequence);
  EXPECT_EQ(adopted(), 32);
  Sequence fork = sequence.Fork();
  EXPECT_TRUE(fork.guesses().empty());
  EXPECT_EQ(fork.cache().length(), 40);
  sequence.Truncate(40);
  EXPECT_TRUE(sequence.guesses().empty());
  EXPECT_EQ(sequence.cache().length(), 40);
}

TEST_F(ContinuationTest, WhatRowsCostIsToldByPassesAllOfWhoseLogitsWereAskedFor) {
  const auto session = Open("f16", 300);
  Engine& engine = session->engine();
  Sequence& sequence = session->sequence();
  Sequence other = engine.NewSequence().value();
  const std::vector<int> tokens(3, 7);
  const auto run = [&](int64_t rows, int64_t asked, bool with_other = false) {
    std::vector<SequencePiece> pieces = {
        {.sequence = &sequence, .tokens = std::span(tokens).first(rows), .guesses = rows - 1}};
    if (with_other) pieces.push_back({.sequence = &other, .tokens = std::span(tokens).first(1)});
    ASSERT_TRUE(engine.Run(pieces));
    std::vector<LogitsQuery> queries;
    for (int64_t row = 0; row < asked; ++row) {
      queries.push_back({.sequence = &sequence, .guesses = row});
    }
    engine.Logits(queries);
  };
  const double unknown = PassCost().row();
  run(1, 1);
  run(3, 0);
  run(3, 2);
  run(3, 3, /*with_other=*/true);
  run(1, 1);
  EXPECT_EQ(engine.pass_cost().row(), unknown);
  run(3, 3);
  EXPECT_NE(engine.pass_cost().row(), unknown);
}

TEST_F(ContinuationTest, GuessesTakeNoRoomThatTokensNeed) {
  std::mt19937 random(2);
  const auto session = Open("q8_0", 64, /*kv_tokens=*/96);
  Engine& engine = session->engine();
  Sequence other = engine.NewSequence("of another").value();
  const std::vector<int> text(64, 7);
  SequencePiece piece{.sequence = &other, .tokens = text};
  ASSERT_TRUE(engine.Run({&piece, 1}));
  ASSERT_TRUE(piece.status);
  int full = 0;
  for (int round = 0; round < Rounds(24); ++round) {
    Asked asked = AnyAsked(random);
    asked.options.draft = kDraftOff;
    const std::vector<Answer> off = Run(*session, asked);
    asked.options.draft = 1 + static_cast<int>(random() % 16);
    EXPECT_EQ(Run(*session, asked), off);
    full += off.back().text == "every block of the KV cache is in use by other sequences" ? 1 : 0;
  }
  EXPECT_GT(full, 0);
}

}  // namespace
}  // namespace bitfetch
