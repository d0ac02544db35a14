// SPDX-License-Identifier: Apache-2.0
#include "engine/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/test_effort.h"
#include "engine/read_tokenizer.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

const char* const kTiny = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

class GenerateTest : public testing::Test {
 protected:
  struct Run {
    Generated generated;
    std::string text;
  };

  static std::unique_ptr<Session> OpenSession(int64_t context = 0) {
    EngineOptions options{.threads = 2, .context = context};
    options.prefetch.mode = PrefetchSetting::Mode::kOff;
    return Session::Open(kTiny, options).value();
  }

  // Goes on while `more(text so far)`.
  template <class More>
  Run RunWith(Session& session, const std::string& prompt, const GenerateOptions& options,
              const SamplerOptions& sampling, const More& more) {
    Sampler sampler = Sampler::Create(sampling).value();
    Run run;
    const auto on_text = [&](std::string_view text) {
      run.text += text;
      return more(run.text);
    };
    auto result = Generate(session, tokenizer_, sampler, tokenizer_.Encode(prompt, true).value(),
                           options, on_text, {}, interrupted_);
    EXPECT_TRUE(result) << result.error().message;
    run.generated = *std::move(result);
    return run;
  }
  Run RunWith(Session& session, const std::string& prompt, const GenerateOptions& options,
              const SamplerOptions& sampling = {}) {
    return RunWith(session, prompt, options, sampling, [](const std::string&) { return true; });
  }

  Tokenizer tokenizer_ = ReadTokenizer(GgufReader::Open(kTiny).value()).value();
  std::atomic<bool> interrupted_ = false;
};

TEST_F(GenerateTest, StopsAfterSoManyTokens) {
  const auto session = OpenSession();
  const Run run = RunWith(*session, "In the beginning", {.max_tokens = 12});
  EXPECT_EQ(run.generated.reason, StopReason::kTokens);
  EXPECT_EQ(run.generated.tokens, 12);
  EXPECT_EQ(run.generated.tail.size(), 1u);
  EXPECT_EQ(session->length(), run.generated.prompt_tokens + 11);
  std::vector<int> made(session->tokens().begin() + run.generated.prompt_tokens,
                        session->tokens().end());
  made.push_back(run.generated.tail[0]);
  EXPECT_EQ(run.text, tokenizer_.Decode(made).value());
}

TEST_F(GenerateTest, ZeroTokensReadThePromptOnly) {
  const auto session = OpenSession();
  const Run run = RunWith(*session, "In the beginning", {.max_tokens = 0});
  EXPECT_EQ(run.text, "");
  EXPECT_EQ(session->length(), run.generated.prompt_tokens);
}

TEST_F(GenerateTest, AScreenedHeadWritesTheSame) {
  const std::vector<SamplerOptions> all = {
      {},
      {.repeat_penalty = 1.3},
      {.repeat_penalty = 0.5, .repeat_window = 1000},
      {.temperature = 1, .top_k = 1},
      {.temperature = 1.5, .top_k = 40, .seed = 1},
      {.temperature = 1, .top_k = 200, .top_p = 0.9, .min_p = 0.05, .seed = 2},
      {.temperature = 1, .top_k = 40, .repeat_penalty = 1.2, .seed = 3},
      {.temperature = 1, .min_p = 0.05, .seed = 4},
      {.temperature = 2, .min_p = 0.001, .repeat_penalty = 1.5, .seed = 5},
      {.temperature = 1, .min_p = 1, .seed = 6},
      {.temperature = 1, .top_p = 0.9, .seed = 7},
      {.temperature = 1, .seed = 8},
  };
  EngineOptions options{.threads = 2};
  options.prefetch.mode = PrefetchSetting::Mode::kOff;
  const auto full = Session::Open(kTiny, options).value();
  options.screen_from_bytes = 0;
  const auto screened = Session::Open(kTiny, options).value();
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    full->Truncate(0);
    screened->Truncate(0);
    const GenerateOptions some = {.max_tokens = kIsSlow ? 8 : 30};
    RunWith(*full, "In the beginning", some, all[i]);
    RunWith(*screened, "In the beginning", some, all[i]);
    EXPECT_EQ(screened->tokens(), full->tokens());
    // Of 16 bits a weight, the screen has eight.
    if (i + 2 < all.size()) {
      EXPECT_LT(screened->profile().at(Stage::kHead).bytes, full->profile().at(Stage::kHead).bytes);
    }
  }
}

TEST_F(GenerateTest, GoesOnWithItsTailAsIfItHadNotStopped) {
  const auto whole_session = OpenSession();
  const Run whole = RunWith(*whole_session, "And God said", {.max_tokens = 30});
  const auto session = OpenSession();
  const Run first = RunWith(*session, "And God said", {.max_tokens = 13});
  Sampler greedy = Sampler::Create({}).value();
  std::string text = first.text;
  const auto on_text = [&](std::string_view more) {
    text += more;
    return true;
  };
  ASSERT_TRUE(Generate(*session, tokenizer_, greedy, first.generated.tail, {.max_tokens = 17},
                       on_text, {}, interrupted_));
  EXPECT_EQ(text, whole.text);
}

TEST_F(GenerateTest, StopsAtEveryTokenThatEndsATurnAndCountsIt) {
  const auto prompt = tokenizer_.Encode("In the beginning", true).value();
  const int end = tokenizer_.Encode(" house", false).value().at(0);  // after " of the"
  for (const auto& key :
       {&Vocabulary::eos, &Vocabulary::eot, &Vocabulary::eom, (int Vocabulary::*)(nullptr)}) {
    Vocabulary vocabulary = TestVocabulary();
    while (static_cast<int>(vocabulary.tokens.size()) < tokenizer_.size()) {
      AddToken("", kNormalToken, &vocabulary);
    }
    if (key != nullptr) {
      vocabulary.*key = end;
    } else {
      vocabulary.tokens[end] = "<end_of_turn>";
    }
    const Tokenizer tokenizer = Tokenizer::Create(vocabulary).value();
    const auto session = OpenSession();
    Sampler greedy = Sampler::Create({}).value();
    const auto result = Generate(
        *session, tokenizer, greedy, prompt, {.max_tokens = 100},
        [](std::string_view) { return true; }, {}, interrupted_);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->reason, StopReason::kStopToken);
    EXPECT_EQ(result->tokens, 3);
    EXPECT_EQ(result->tail, std::vector<int>{end});
  }
}

TEST_F(GenerateTest, TheSameSeedGivesTheSameText) {
  const SamplerOptions sampling{.temperature = 1.0, .seed = 5};
  const auto a = OpenSession();
  const auto b = OpenSession();
  const auto c = OpenSession();
  const std::string text = RunWith(*a, "The", {.max_tokens = 40}, sampling).text;
  EXPECT_EQ(RunWith(*b, "The", {.max_tokens = 40}, sampling).text, text);
  EXPECT_NE(RunWith(*c, "The", {.max_tokens = 40}, {.temperature = 1.0, .seed = 6}).text, text);
}

TEST_F(GenerateTest, EndsBeforeAStopString) {
  const auto session = OpenSession();
  const std::string text = RunWith(*session, "In the beginning", {.max_tokens = 40}).text;
  const std::string stop = text.substr(text.size() / 2, 6);
  const auto again = OpenSession();
  const Run run = RunWith(*again, "In the beginning", {.max_tokens = 40, .stops = {stop}});
  EXPECT_EQ(run.generated.reason, StopReason::kStopString);
  EXPECT_EQ(run.text, text.substr(0, text.find(stop)));
}

TEST_F(GenerateTest, SaysWhenTheContextIsFull) {
  const auto session = OpenSession(20);
  const Run run = RunWith(*session, "In the beginning", {});
  EXPECT_EQ(run.generated.reason, StopReason::kContextFull);
  EXPECT_EQ(session->length(), 20);
  EXPECT_EQ(run.generated.prompt_tokens + run.generated.tokens,
            21);  // the last one was still predicted
}

TEST_F(GenerateTest, StopsWhenInterruptedOrNobodyListens) {
  const auto session = OpenSession();
  const Run deaf = RunWith(*session, "In the beginning", {}, {},
                           [](const std::string& text) { return text.size() < 10; });
  EXPECT_EQ(deaf.generated.reason, StopReason::kInterrupted);
  EXPECT_LT(deaf.text.size(), 40u);
  const auto other = OpenSession();
  const Run interrupted = RunWith(*other, "In the beginning", {}, {}, [&](const std::string& text) {
    interrupted_ = text.size() >= 10;
    return true;
  });
  EXPECT_EQ(interrupted.generated.reason, StopReason::kInterrupted);
  EXPECT_EQ(interrupted.text, deaf.text);
}

TEST_F(GenerateTest, NothingIsShownToWhoeverStopped) {
  std::vector<std::string> stops;  // for each letter one that holds it back
  for (char letter = 'a'; letter <= 'z'; ++letter) stops.push_back({letter, '\1'});
  const auto session = OpenSession();
  int calls = 0;
  const Run run =
      RunWith(*session, "In the beginning", {.stops = stops}, {}, [&](const std::string&) {
        ++calls;
        return false;
      });
  EXPECT_EQ(calls, 1);
  const std::string made = tokenizer_.Decode(run.generated.tail).value();
  ASSERT_TRUE(made.starts_with(run.text));
  EXPECT_LT(run.text.size(), made.size()) << "something was held back";
}

TEST_F(GenerateTest, AnEmptyPromptGoesOn) {
  const auto whole = OpenSession();
  const Run at_once = RunWith(*whole, "In the beginning", {.max_tokens = 12});
  const auto session = OpenSession();
  const Run first = RunWith(*session, "In the beginning", {.max_tokens = 5});
  ASSERT_TRUE(session->Append(first.generated.tail));
  Sampler sampler = Sampler::Create({}).value();
  std::string rest;
  const auto on_text = [&](std::string_view text) {
    rest += text;
    return true;
  };
  ASSERT_TRUE(
      Generate(*session, tokenizer_, sampler, {}, {.max_tokens = 7}, on_text, {}, interrupted_));
  EXPECT_EQ(first.text + rest, at_once.text);
  session->Truncate(0);
  EXPECT_FALSE(Generate(*session, tokenizer_, sampler, {}, {}, on_text, {}, interrupted_));
}

TEST_F(GenerateTest, ALongPromptCanBeWatchedAndInterrupted) {
  const auto session = OpenSession();
  Sampler greedy = Sampler::Create({}).value();
  const std::vector<int> prompt(200, 65);
  std::vector<int64_t> heard;
  const auto on_prompt = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 200);
    heard.push_back(done);
  };
  const auto on_text = [](std::string_view) { return true; };
  ASSERT_TRUE(Generate(*session, tokenizer_, greedy, prompt, {.max_tokens = 0}, on_text, on_prompt,
                       interrupted_));
  EXPECT_EQ(heard, (std::vector<int64_t>{64, 128, 192, 200}));

  const auto interrupt = [&](int64_t done, int64_t) { interrupted_ = done > 64; };
  const auto result =
      Generate(*session, tokenizer_, greedy, prompt, {}, on_text, interrupt, interrupted_);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->reason, StopReason::kInterrupted);
  EXPECT_EQ(session->length(), 200);
}

TEST_F(GenerateTest, APromptThatDoesNotFitIsAnError) {
  const auto session = OpenSession(10);
  Sampler greedy = Sampler::Create({}).value();
  const auto on_text = [](std::string_view) { return true; };
  const auto prompt =
      tokenizer_.Encode("In the beginning God created the heaven and the earth and so on", true)
          .value();
  const auto result = Generate(*session, tokenizer_, greedy, prompt, {}, on_text, {}, interrupted_);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("the context of 10 tokens is full"));
  EXPECT_FALSE(Generate(*session, tokenizer_, greedy, {}, {}, on_text, {}, interrupted_));
}

}  // namespace
}  // namespace bitfetch
