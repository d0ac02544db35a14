// SPDX-License-Identifier: Apache-2.0
#include "engine/perplexity.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

#include "base/temp_dir.h"
#include "convert/synth.h"
#include "engine/read_tokenizer.h"
#include "text/sampler.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

class PerplexityTest : public ::testing::Test {
 protected:
  PerplexityTest() : tokenizer_(Open()) {
    Random random(5);
    for (int i = 0; i < 700; ++i) tokens_.push_back(static_cast<int>(random.Next() % 400));
  }

  Tokenizer Open() {
    const std::string path = dir_.Path("model.gguf");
    SynthShape shape = SynthShapeNamed("tiny").value();
    EXPECT_TRUE(WriteSynthModel(path, shape, {}));
    EngineOptions options{.threads = 1};
    options.prefetch.mode = PrefetchSetting::Mode::kOff;
    session_ = Session::Open(path, options).value();
    return ReadTokenizer(session_->model().file()).value();
  }

  Result<Perplexity> Measure(std::span<const int> tokens, int64_t context) {
    return MeasurePerplexity(*session_, tokenizer_, tokens, context, {});
  }

  // The definition, token by token.
  Perplexity Naive(std::span<const int> tokens, int64_t context) {
    Perplexity result;
    double sum = 0;
    for (size_t start = 0; start + context <= tokens.size(); start += context) {
      ++result.windows;
      session_->Truncate(0);
      for (int64_t j = 0; j + 1 < context; ++j) {
        const int token = j == 0 ? tokenizer_.bos() : tokens[start + j];
        EXPECT_TRUE(session_->Append(std::span(&token, 1)));
        if (j < context / 2) continue;
        const int next = tokens[start + j + 1];
        double total = 0;
        const auto logits = session_->Logits().value();
        for (const Logit& logit : logits) total += std::exp(double{logit.value});
        sum -= logits[next].value - std::log(total);
        ++result.scored_tokens;
        result.scored_bytes += static_cast<int64_t>(tokenizer_.TokenBytes(next).size());
      }
    }
    result.perplexity = std::exp(sum / static_cast<double>(result.scored_tokens));
    result.bits_per_byte = sum / std::log(2.0) / static_cast<double>(result.scored_bytes);
    return result;
  }

  TempDir dir_;
  std::unique_ptr<Session> session_;
  Tokenizer tokenizer_;
  std::vector<int> tokens_;
};

TEST_F(PerplexityTest, CountsAsItsDefinitionSays) {
  constexpr int64_t kTokens = 150;
  const auto tokens = std::span(tokens_).first(kTokens);
  for (const int64_t context : {3, 4, 7, 64, 90, 140}) {
    const Perplexity expected = Naive(tokens, context);
    const Result<Perplexity> actual = Measure(tokens, context);
    ASSERT_TRUE(actual) << actual.error().message;
    EXPECT_EQ(actual->windows, expected.windows);
    EXPECT_EQ(actual->windows, kTokens / context);
    EXPECT_EQ(actual->scored_tokens, expected.scored_tokens);
    EXPECT_EQ(actual->scored_tokens, actual->windows * (context - context / 2 - 1));
    EXPECT_EQ(actual->scored_bytes, expected.scored_bytes);
    EXPECT_NEAR(actual->perplexity / expected.perplexity, 1, 1e-9) << context;
    EXPECT_NEAR(actual->bits_per_byte / expected.bits_per_byte, 1, 1e-9) << context;
    EXPECT_EQ(session_->length(), 0);
  }
}

TEST_F(PerplexityTest, TellsOfEachWindow) {
  std::vector<int64_t> heard;
  const auto on_window = [&](const Perplexity& so_far, int64_t windows) {
    heard.push_back(so_far.windows);
    EXPECT_EQ(windows, 7);
    EXPECT_GT(so_far.perplexity, 1);
  };
  ASSERT_TRUE(MeasurePerplexity(*session_, tokenizer_, tokens_, 100, on_window));
  EXPECT_THAT(heard, ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7));
}

TEST_F(PerplexityTest, SaysWhatItCannotScore) {
  EXPECT_THAT(Measure(tokens_, 2).error().message, HasSubstr("a window of 2 tokens"));
  EXPECT_THAT(Measure(std::span(tokens_).first(99), 100).error().message,
              HasSubstr("99 tokens, fewer than one window of 100"));
  EXPECT_THAT(Measure({}, 100).error().message, HasSubstr("0 tokens"));
  EXPECT_THAT(Measure(std::vector<int>(10, 512), 5).error().message,
              HasSubstr("token 512 is out of range"));
  EXPECT_THAT(Measure(std::vector<int>(10, -1), 5).error().message,
              HasSubstr("token -1 is out of range"));
  EXPECT_THAT(Measure(std::vector<int>(10, tokenizer_.eos()), 5).error().message,
              HasSubstr("stand for no text"));
  EXPECT_THAT(Measure(tokens_, 600).error().message, HasSubstr("the context of 512 tokens"));
}

}  // namespace
}  // namespace bitfetch
