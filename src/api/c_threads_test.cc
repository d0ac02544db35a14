// SPDX-License-Identifier: Apache-2.0
// Calls on one model from several threads, and from callbacks.
#include <optional>
#include <thread>

#include "api/tiny_model.h"

namespace bitfetch {
namespace {

class CApiThreads : public testing::Test {
 protected:
  Model model_{kTinyModel, QuietModelOptions()};
};

TEST_F(CApiThreads, EachGetsWhatItWouldGetAlone) {
  const std::vector<std::string> prompts = {"In the beginning", "And it came to pass", "The LORD"};
  std::vector<std::string> alone;
  for (size_t i = 0; i < prompts.size(); ++i) {
    Sequence sequence(model_, "alone");
    alone.push_back(Generated(sequence, prompts[i], ShortSampling(12, i)));
  }
  std::vector<std::thread> threads;
  std::vector<std::string> texts(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    threads.emplace_back([&, i] {
      Sequence first(model_);
      first.Append(model_.Tokenize(prompts[i], /*first=*/true));
      Sequence sequence = first.Fork();
      texts[i] = Generated(sequence, "", ShortSampling(12, i));
      EXPECT_EQ(first.length() + 12, sequence.length());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(texts, alone);
}

TEST_F(CApiThreads, OthersHaveTheirTurnsWhileACallbackRuns) {
  Sequence sequence(model_), other(model_);
  int calls = 0;
  sequence.Generate("And", ShortSampling(8), [&](std::string_view) {
    std::thread([&] { other.Append(SomeTokens(20, calls)); }).join();
    return ++calls < 3;
  });
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(other.length(), 60);
}

TEST_F(CApiThreads, ACallbackMayUseOtherSequencesAndOnlyAskItsOwn) {
  Sequence undisturbed(model_), sequence(model_), other(model_);
  const std::string expected = Generated(undisturbed, "And", ShortSampling(6, 3));
  std::string text;
  int64_t length = 0;
  sequence.Generate("And", ShortSampling(6, 3), [&](std::string_view piece) {
    text += piece;
    EXPECT_GT(sequence.length(), length);
    length = sequence.length();
    EXPECT_EQ(static_cast<int64_t>(sequence.tokens().size()), length);

    bitfetch_sequence* own = sequence.get();
    bitfetch_sequence* fork = nullptr;
    const int32_t token = 1;
    std::vector<float> logits(static_cast<size_t>(model_.vocab()));
    bitfetch_piece own_piece = sequence.Piece({&token, 1});
    const auto on_text = [](const char*, size_t, void*) { return 1; };
    const auto expect_refused = [](bitfetch_status status) {
      ExpectStatus(status, BITFETCH_FAILED, "the sequence is in use");
    };
    expect_refused(bitfetch_sequence_fork(own, &fork));
    expect_refused(bitfetch_sequence_append(own, &token, 1));
    expect_refused(bitfetch_sequence_truncate(own, 0));
    expect_refused(bitfetch_sequence_logits(own, logits.data()));
    expect_refused(bitfetch_sequence_generate(own, "a", 1, nullptr, on_text, nullptr));
    expect_refused(bitfetch_batch_run(model_.get(), &own_piece, 1));
    EXPECT_EQ(fork, nullptr);

    Sequence another = other.Fork();
    EXPECT_EQ(Generated(another, "And", ShortSampling(6, 3)), expected);
    return true;
  });
  EXPECT_EQ(text, expected);
  EXPECT_EQ(sequence.tokens(), undisturbed.tokens());
}

TEST_F(CApiThreads, WhatIsFreedInItsCallbackStops) {
  std::optional<Model> model(std::in_place, kTinyModel, QuietModelOptions());
  std::optional<Sequence> sequence(*model);
  std::optional<LanguageModel> session(*model);
  int calls = 0;
  EXPECT_FALSE(sequence->Generate("And", ShortSampling(20), [&](std::string_view) {
    ++calls;
    sequence.reset();
    return true;
  }));
  EXPECT_FALSE(session->Generate("And", ShortSampling(20), [&](std::string_view) {
    ++calls;
    session.reset();
    model.reset();  // and with it the last that holds its weights
    return true;
  }));
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace bitfetch
