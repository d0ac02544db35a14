// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <list>
#include <random>

#include "base/temp_dir.h"
#include "base/test_affinity.h"
#include "base/test_effort.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr int kVocab = 50;
constexpr int64_t kContext = 300;

class EngineTest : public testing::Test {
 protected:
  EngineTest() { EXPECT_TRUE(WriteTestModel(path_, {.vocab = kVocab, .context = kContext})); }

  std::unique_ptr<Engine> Open(EngineOptions options = {}) {
    if (options.threads == 0) options.threads = 2;
    options.prefetch = {PrefetchSetting::Mode::kOff};
    options.pages = PageSize::k4K;
    auto engine = Engine::Open(path_, options);
    EXPECT_TRUE(engine) << engine.error().message;
    return *std::move(engine);
  }

  TempDir folder_;
  std::string path_ = folder_.Path("model.gguf");
};

std::vector<int> Tokens(int count, int seed = 0) {
  std::vector<int> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 17 + seed) % kVocab);
  return tokens;
}

Status Append(Engine& engine, Sequence& sequence, std::span<const int> tokens) {
  SequencePiece piece{.sequence = &sequence, .tokens = tokens};
  BITFETCH_RETURN_IF_ERROR(engine.Run({&piece, 1}));
  return piece.status;
}

std::vector<float> Values(const LogitsQuery& query) {
  EXPECT_TRUE(query.status) << query.status.error().message;
  std::vector<float> logits;
  for (const Logit& logit : query.logits) logits.push_back(logit.value);
  return logits;
}

std::vector<float> LogitsOf(Engine& engine, const Sequence& sequence) {
  LogitsQuery query{.sequence = &sequence};
  engine.Logits({&query, 1});
  return Values(query);
}

// What sequences have alone, in an engine where nothing is shared.
class Alone {
 public:
  explicit Alone(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  std::vector<float> Logits(std::span<const int> tokens) {
    Sequence sequence = engine_->NewSequence().value();
    EXPECT_TRUE(Append(*engine_, sequence, tokens));
    return LogitsOf(*engine_, sequence);
  }

 private:
  std::unique_ptr<Engine> engine_;
};

// Sequences come, go, fork, shrink and grow by pieces of any size in one engine whose pool is too
// small for all of them. Returns how many pieces were refused for that.
int RunRandomMix(Engine& engine, Alone& alone, uint32_t seed, int passes) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return static_cast<int>(random() % n); };
  std::list<Sequence> sequences;
  const auto any = [&] { return std::next(sequences.begin(), below(sequences.size())); };
  int ran = 0, refused = 0;
  for (int pass = 0; pass < passes; ++pass) {
    if (sequences.size() < 32 && below(2) == 0) {
      sequences.push_back(engine.NewSequence().value());
    }
    if (!sequences.empty() && below(4) == 0) sequences.push_back(any()->Fork());
    if (!sequences.empty() && below(3) == 0) {
      const auto one = any();
      one->Truncate(below(one->length() + 1));
    }
    if (!sequences.empty() && below(5) == 0) sequences.erase(any());

    std::vector<SequencePiece> pieces;
    std::list<std::vector<int>> texts;
    std::list<std::vector<float>> logits;
    for (Sequence& sequence : sequences) {
      if (below(3) == 0) continue;
      const int count = 1 + below(below(3) == 0 ? 64 : 4);
      // Few different texts, so that prefixes are often the same.
      texts.push_back(Tokens(static_cast<int>(sequence.length()) + count, below(2)));
      texts.back().erase(texts.back().begin(),
                         texts.back().begin() + static_cast<ptrdiff_t>(sequence.length()));
      pieces.push_back({.sequence = &sequence, .tokens = texts.back()});
      if (below(3) == 0) {
        pieces.back().guesses = below(count);
        continue;
      }
      if (below(3) != 0) continue;
      logits.emplace_back(count * kVocab);
      pieces.back().logits = logits.back().data();
    }
    std::vector<std::vector<int>> before;
    for (const SequencePiece& piece : pieces) before.push_back(piece.sequence->tokens());
    EXPECT_TRUE(engine.Run(pieces));
    for (size_t i = 0; i < pieces.size(); ++i) {
      const SequencePiece& piece = pieces[i];
      std::vector<int> expected = before[i];
      if (!piece.status) {
        ++refused;
        EXPECT_THAT(piece.status.error().message,
                    testing::AnyOf(HasSubstr("is full"), HasSubstr("in use by other")));
        EXPECT_FALSE(piece.sequence->has_logits());
      } else {
        ++ran;
        expected.insert(expected.end(), piece.tokens.begin(), piece.tokens.end());
        // Some of the guesses stand.
        const int stood = below(piece.guesses + 1);
        const int64_t behind = stood + below(piece.guesses - stood + 1);
        const int64_t settled = std::ssize(expected) - piece.guesses;
        if (piece.guesses > 0 && below(4) == 0) {
          LogitsQuery query{.sequence = piece.sequence, .guesses = behind};
          engine.Logits({&query, 1});
          EXPECT_EQ(Values(query), alone.Logits(std::span(expected).first(settled + behind)));
        }
        for (int i = 0; i < stood; ++i) engine.Accept(*piece.sequence);
        EXPECT_EQ(std::ssize(piece.sequence->guesses()), piece.guesses - stood);
        if (below(2) == 0) piece.sequence->Truncate(piece.sequence->length());
        expected.resize(settled + stood);
      }
      EXPECT_EQ(piece.sequence->tokens(), expected);
      EXPECT_EQ(piece.sequence->cache().length(),
                std::ssize(expected) + std::ssize(piece.sequence->guesses()));
      if (!piece.status || below(4) != 0) continue;
      const std::vector<float> wanted = alone.Logits(expected);
      EXPECT_EQ(LogitsOf(engine, *piece.sequence), wanted) << "pass " << pass;
      if (piece.logits == nullptr) continue;
      const size_t row = below(piece.tokens.size());
      const auto seen = std::span(expected).first(before[i].size() + row + 1);
      EXPECT_EQ(std::vector<float>(piece.logits + row * kVocab, piece.logits + (row + 1) * kVocab),
                alone.Logits(seen))
          << "pass " << pass << ", row " << row;
    }
  }
  EXPECT_GE(ran, passes);
  return refused;
}

TEST_F(EngineTest, EachOfARandomMixOfSequencesHasTheBitsThatItHasAlone) {
  constexpr std::pair<int, const char*> kVariants[] = {{1, "f32"}, {2, "q8_0:q4_0"}, {5, "f16"}};
  uint32_t seed = 1;
  int refused = 0;
  for (const Kernels* kernels : SupportedKernels()) {
    // Where it takes long, each ISA has another one of them.
    const size_t turn = static_cast<size_t>(seed) % std::size(kVariants);
    for (const auto& [threads, types] :
         kIsSlow ? std::span(kVariants).subspan(turn, 1) : std::span(kVariants)) {
      const KvTypes kv_types = ParseKvTypes(types).value();
      // On the best ISA, which is also the fastest.
      Alone alone(Open({.threads = 1, .kv_types = kv_types, .share_prefixes = false}));
      setenv("BITFETCH_ISA", IsaName(kernels->isa).data(), 1);
      const auto engine = Open({.threads = threads, .kv_types = kv_types});
      unsetenv("BITFETCH_ISA");
      refused += RunRandomMix(*engine, alone, seed++, 12);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(refused, 0) << "the pool is never full";
}

TEST_F(EngineTest, MoreThreadsThanCoresGiveTheSameBits) {
  Alone alone(Open({.threads = 1, .share_prefixes = false}));
  uint32_t seed = 1;
  for (const int threads : {3, 7, 16, 64}) {
    RunRandomMix(*Open({.threads = threads}), alone, seed++, 12);
  }
  // And where the cores become fewer.
  const auto two = Open({.threads = 2});
  const PinnedToOneCpu pinned;
  RunRandomMix(*two, alone, seed++, 12);
  RunRandomMix(*Open({.threads = 64}), alone, seed, 12);
}

TEST_F(EngineTest, APrefixThatWasComputedIsAdoptedAndNotComputedAgain) {
  const auto engine = Open({.kv_tokens = 2 * kContext});
  Alone alone(Open({.share_prefixes = false}));
  const std::vector<int> text = Tokens(100);
  {
    Sequence first = engine->NewSequence().value();
    ASSERT_TRUE(Append(*engine, first, text));
  }
  const int64_t idle = engine->pool().Available();
  engine->ResetProfile();
  Sequence second = engine->NewSequence().value();
  ASSERT_TRUE(Append(*engine, second, text));
  EXPECT_EQ(engine->profile().at(Stage::kEmbed).runs, 1) << "the last four tokens, in one pass";
  EXPECT_EQ(LogitsOf(*engine, second), alone.Logits(text));
  EXPECT_EQ(idle - engine->pool().Available(), 7) << "six blocks of the first and a new one";

  // A whole number of blocks: the last token is computed all the same.
  Sequence third = engine->NewSequence().value();
  ASSERT_TRUE(Append(*engine, third, std::span(text).first(96)));
  EXPECT_EQ(LogitsOf(*engine, third), alone.Logits(std::span(text).first(96)));

  // Another salt knows nothing of it.
  const int64_t before = engine->pool().Available();
  Sequence other = engine->NewSequence("other").value();
  ASSERT_TRUE(Append(*engine, other, text));
  EXPECT_EQ(before - engine->pool().Available(), 7);
  EXPECT_EQ(LogitsOf(*engine, other), alone.Logits(text));
}

TEST_F(EngineTest, AdoptsWhatIsThereButNeverTheLastToken) {
  const auto engine = Open({.kv_tokens = 2 * kContext});
  Alone alone(Open({.share_prefixes = false}));
  const std::vector<int> text = Tokens(65);
  Sequence first = engine->NewSequence().value();
  ASSERT_TRUE(Append(*engine, first, text));
  Sequence second = engine->NewSequence().value();
  EXPECT_EQ(engine->Adopt(second, {}), 0);
  EXPECT_EQ(engine->Adopt(second, std::span(text).first(64)), 48);
  EXPECT_EQ(engine->Adopt(second, std::span(text).subspan(48)), 16);
  EXPECT_FALSE(second.has_logits());
  ASSERT_TRUE(Append(*engine, second, std::span(text).last(1)));
  EXPECT_EQ(LogitsOf(*engine, second), alone.Logits(text));
  Sequence another = engine->NewSequence("salt").value();
  EXPECT_EQ(engine->Adopt(another, text), 0);
}

TEST_F(EngineTest, TwoThatComputeTheSamePrefixAtOnceEndUpSharingIt) {
  const auto engine = Open({.kv_tokens = 2 * kContext});
  const int64_t all = engine->pool().Available();
  Sequence first = engine->NewSequence().value(), second = engine->NewSequence().value();
  const std::vector<int> text = Tokens(200);
  std::vector<SequencePiece> pieces = {{.sequence = &first, .tokens = text},
                                       {.sequence = &second, .tokens = text}};
  ASSERT_TRUE(engine->Run(pieces));
  EXPECT_EQ(LogitsOf(*engine, first), LogitsOf(*engine, second));
  EXPECT_EQ(all - engine->pool().Available(), 12 + 2) << "12 full blocks and two of 8 tokens";
}

TEST_F(EngineTest, AForkHasTheLogitsOfWhatItWasForkedFrom) {
  const auto engine = Open({.kv_tokens = 2 * kContext});
  Sequence first = engine->NewSequence().value();
  ASSERT_TRUE(Append(*engine, first, Tokens(21)));
  Sequence fork = first.Fork();
  EXPECT_EQ(LogitsOf(*engine, fork), LogitsOf(*engine, first));
  ASSERT_TRUE(Append(*engine, fork, Tokens(5, 3)));
  ASSERT_TRUE(Append(*engine, first, Tokens(5, 3)));
  EXPECT_EQ(LogitsOf(*engine, fork), LogitsOf(*engine, first));
}

TEST_F(EngineTest, ABatchWithASequenceTwiceOrOfAnotherEngineIsRefusedAndDoesNothing) {
  const auto engine = Open(), other = Open();
  Sequence sequence = engine->NewSequence().value();
  Sequence stranger = other->NewSequence().value();
  const std::vector<int> text = Tokens(3);
  std::vector<SequencePiece> pieces = {{.sequence = &sequence, .tokens = text},
                                       {.sequence = &sequence, .tokens = text}};
  EXPECT_EQ(engine->Run(pieces).error().message, "a sequence stands in the batch twice");
  pieces[1].sequence = &stranger;
  EXPECT_EQ(engine->Run(pieces).error().message,
            "a sequence of the batch belongs to another engine");
  EXPECT_EQ(sequence.length(), 0);
  EXPECT_EQ(stranger.length(), 0);
}

TEST_F(EngineTest, AnErrorOfOnePieceIsItsOwn) {
  const auto engine = Open({.kv_tokens = 4 * kContext});
  Alone alone(Open({.share_prefixes = false}));
  std::list<Sequence> sequences;
  for (int i = 0; i < 5; ++i) sequences.push_back(engine->NewSequence().value());
  const std::vector<int> good = Tokens(70), bad_id = {1, 2, kVocab}, long_one = Tokens(301), none;
  std::vector<SequencePiece> pieces;
  auto next = sequences.begin();
  for (const auto* tokens : {&good, &bad_id, &long_one, &none, &good}) {
    pieces.push_back({.sequence = &*next++, .tokens = *tokens});
  }
  ASSERT_TRUE(engine->Run(pieces));
  EXPECT_TRUE(pieces[0].status);
  EXPECT_THAT(pieces[1].status.error().message, HasSubstr("token 50 is out of range"));
  EXPECT_THAT(pieces[2].status.error().message, HasSubstr("the context of 300 tokens is full"));
  EXPECT_THAT(pieces[3].status.error().message, HasSubstr("has no tokens"));
  EXPECT_TRUE(pieces[4].status);
  for (const int i : {1, 2, 3}) {
    EXPECT_EQ(pieces[i].sequence->length(), 0);
    EXPECT_FALSE(pieces[i].sequence->has_logits());
  }
  EXPECT_EQ(LogitsOf(*engine, *pieces[0].sequence), alone.Logits(good));
  EXPECT_EQ(LogitsOf(*engine, *pieces[4].sequence), alone.Logits(good));
  ASSERT_TRUE(Append(*engine, *pieces[1].sequence, good));
  EXPECT_EQ(LogitsOf(*engine, *pieces[1].sequence), alone.Logits(good));
}

TEST_F(EngineTest, ActivationsThatAreNotFiniteFailTheirSequenceAlone) {
  ASSERT_TRUE(
      WriteTestModel(path_, {.vocab = kVocab, .embedding = TensorType::kF32, .own_output = true}));
  {
    const GgufReader file = GgufReader::Open(path_).value();
    const ptrdiff_t at = file.FindTensor("token_embd.weight")->data.data() - file.bytes().data();
    const float nan = NAN;
    std::fstream damaged(path_, std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(at);
    damaged.write(reinterpret_cast<const char*>(&nan), sizeof nan);
  }
  const auto engine = Open({.context = kContext, .kv_tokens = 2 * kContext});
  Sequence well = engine->NewSequence().value(), ill = engine->NewSequence().value();
  const std::vector<int> good = {1, 2, 3}, damaged = {1, 0, 2};
  std::vector<SequencePiece> pieces = {{.sequence = &ill, .tokens = damaged},
                                       {.sequence = &well, .tokens = good}};
  ASSERT_TRUE(engine->Run(pieces));
  EXPECT_THAT(pieces[0].status.error().message,
              HasSubstr("the embedding of a token is not finite"));
  EXPECT_EQ(ill.length(), 0);
  EXPECT_EQ(ill.cache().length(), 0);
  ASSERT_TRUE(pieces[1].status);
  Alone alone(Open({.context = kContext, .share_prefixes = false}));
  EXPECT_EQ(LogitsOf(*engine, well), alone.Logits(good));
}

TEST_F(EngineTest, APoolThatIsFullRefusesWhatFindsNoRoomAndLosesNothing) {
  const auto engine = Open({.context = 160, .kv_tokens = 160});
  Sequence first = engine->NewSequence().value(), second = engine->NewSequence().value();
  ASSERT_TRUE(Append(*engine, first, Tokens(100)));
  const Status status = Append(*engine, second, Tokens(100, 1));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("every block of the KV cache is in use"));
  EXPECT_EQ(second.length(), 0);
  ASSERT_TRUE(Append(*engine, first, Tokens(20)));
  first.Truncate(0);
  ASSERT_TRUE(Append(*engine, second, Tokens(100, 1))) << "idle blocks make room";
  Alone alone(Open({.share_prefixes = false}));
  EXPECT_EQ(LogitsOf(*engine, second), alone.Logits(Tokens(100, 1)));
}

TEST_F(EngineTest, WhatWasThroughBeforeAnInterruptStays) {
  const auto engine = Open({.kv_tokens = 2 * kContext});
  Sequence brief = engine->NewSequence().value(), lengthy = engine->NewSequence().value();
  const std::vector<int> few = Tokens(3), many = Tokens(200);
  std::vector<SequencePiece> pieces = {{.sequence = &lengthy, .tokens = many},
                                       {.sequence = &brief, .tokens = few}};
  std::atomic<bool> interrupted = false;
  std::vector<int64_t> heard;
  const auto done = engine->Run(
      pieces,
      [&](int64_t count, int64_t total) {
        EXPECT_EQ(total, 203);
        heard.push_back(count);
        interrupted = true;
      },
      &interrupted);
  EXPECT_FALSE(done.value());
  EXPECT_THAT(heard, Each(ForwardPass::kMaxRows));
  EXPECT_TRUE(pieces[1].status);
  EXPECT_EQ(brief.tokens(), few);
  EXPECT_TRUE(brief.has_logits());
  EXPECT_FALSE(pieces[0].status);
  EXPECT_EQ(lengthy.length(), 0);
  EXPECT_EQ(lengthy.cache().length(), 0);
}

}  // namespace
}  // namespace bitfetch
