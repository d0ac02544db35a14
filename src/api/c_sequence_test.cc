// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <optional>

#include "api/tiny_model.h"
#include "base/temp_dir.h"

namespace bitfetch {
namespace {

class CApiSequence : public testing::Test {
 protected:
  Model model_{kTinyModel, QuietModelOptions()};
};

std::vector<int32_t> Joined(std::vector<int32_t> tokens, const std::vector<int32_t>& more) {
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

TEST_F(CApiSequence, HasTheLogitsOfASession) {
  const std::vector<int32_t> tokens = SomeTokens(70, 1);
  LanguageModel session(kTinyModel);
  session.Append(tokens);
  Sequence sequence(model_);
  sequence.Append(tokens);
  Sequence of_somebody_else(model_, "salt");
  of_somebody_else.Append(tokens);
  EXPECT_EQ(LogitsOf(model_, sequence), session.Logits());
  EXPECT_EQ(LogitsOf(model_, of_somebody_else), session.Logits());
  EXPECT_EQ(sequence.tokens(), tokens);
  EXPECT_EQ(model_.context(), session.context());
  EXPECT_EQ(model_.vocab(), session.vocab());
}

TEST_F(CApiSequence, AForkGoesOnByItself) {
  const std::vector<int32_t> prefix = SomeTokens(40, 1);
  Sequence one(model_);
  one.Append(prefix);
  Sequence other = one.Fork();
  EXPECT_EQ(LogitsOf(model_, other), LogitsOf(model_, one));
  one.Append(SomeTokens(5, 2));
  other.Append(SomeTokens(30, 3));
  EXPECT_EQ(LogitsOf(model_, one), LogitsAlone(Joined(prefix, SomeTokens(5, 2))));
  EXPECT_EQ(LogitsOf(model_, other), LogitsAlone(Joined(prefix, SomeTokens(30, 3))));
  other.Truncate(40);
  EXPECT_THROW(LogitsOf(model_, other), Exception);
  other.Append(SomeTokens(5, 2));
  EXPECT_EQ(LogitsOf(model_, other), LogitsOf(model_, one));
  EXPECT_EQ(other.tokens(), one.tokens());
}

TEST_F(CApiSequence, GeneratesWhatASessionGenerates) {
  LanguageModel alone(kTinyModel);
  const std::string text = Generated(alone, "In the beginning", ShortSampling(20, 5));
  LanguageModel session(model_);
  Sequence sequence(model_);
  EXPECT_EQ(Generated(sequence, "In the beginning", ShortSampling(20, 5)), text);
  EXPECT_EQ(Generated(session, "In the beginning", ShortSampling(20, 5)), text);
  EXPECT_EQ(sequence.length(), alone.length());
  EXPECT_EQ(session.length(), alone.length());
}

TEST_F(CApiSequence, AKvStoreThatIsNoneIsInvalidAndOneThatIsDeadIsNotMissed) {
  bitfetch_model_options options = QuietModelOptions();
  options.kv_store = "rediss://127.0.0.1";
  bitfetch_model* model = nullptr;
  ExpectStatus(bitfetch_model_open(kTinyModel.c_str(), &options, &model), BITFETCH_INVALID_ARGUMENT,
               "kv_store: rediss:// is Redis over TLS");
  options.kv_store = "redis://127.0.0.1:1";
  Model opened(kTinyModel, options);
  Sequence sequence(opened);
  const std::vector<int32_t> tokens = SomeTokens(70, 1);
  sequence.Append(tokens);
  EXPECT_EQ(LogitsOf(opened, sequence), LogitsAlone(tokens));
}

TEST_F(CApiSequence, GoesOnFromTheFolderOfAModelThatIsClosed) {
  const TempDir folder;
  const std::string cache_dir = folder.Path("kv");
  const std::vector<int32_t> tokens = SomeTokens(70, 1);
  bitfetch_model_options options = QuietModelOptions();
  options.cache_dir = cache_dir.c_str();
  for (int run = 0; run < 2; ++run) {
    Model model(kTinyModel, options);
    Sequence sequence(model);
    sequence.Append(tokens);
    EXPECT_EQ(LogitsOf(model, sequence), LogitsAlone(tokens));
  }
  int records = 0;
  for (const auto& entry : std::filesystem::directory_iterator(cache_dir)) {
    if (entry.path().extension() == ".kv") ++records;
  }
  EXPECT_EQ(records, 4);

  options.cache_disk = -1;
  EXPECT_THROW(Model(kTinyModel, options), Exception);
}

TEST_F(CApiSequence, DraftsChangeNothing) {
  bitfetch_sampling sampling = ShortSampling(80);
  sampling.temperature = 0;
  sampling.draft = "off";
  Sequence off(model_);
  const std::string text = Generated(off, "In the beginning", sampling);
  const std::vector<int32_t> tokens = off.tokens();
  for (const char* draft : {"auto", "1", "16", "63", static_cast<const char*>(nullptr)}) {
    sampling.draft = draft;
    Sequence sequence(model_);
    std::string drafted;
    sequence.Generate("In the beginning", sampling, [&](std::string_view piece) {
      drafted += piece;
      // Guesses are no part of the text.
      const std::vector<int32_t> now = sequence.tokens();
      EXPECT_LE(now.size(), tokens.size());
      EXPECT_TRUE(std::equal(now.begin(), now.end(), tokens.begin()));
      return true;
    });
    EXPECT_EQ(drafted, text);
    EXPECT_EQ(sequence.tokens(), tokens);
    EXPECT_EQ(LogitsOf(model_, sequence), LogitsOf(model_, off));
  }
  for (const char* draft : {"", "0", "64", "-1", "on"}) {
    sampling.draft = draft;
    const auto go_on = [](std::string_view) { return true; };
    EXPECT_THROW(off.Generate("", sampling, go_on), Exception);
    EXPECT_THAT(bitfetch_last_error(), testing::HasSubstr("is no draft setting"));
  }
  EXPECT_EQ(off.tokens(), tokens);
}

TEST_F(CApiSequence, TokensAndTextsOfTheModel) {
  const std::string text = "And God said<|end_of_text|>";
  EXPECT_EQ(model_.Detokenize(model_.Tokenize(text, /*first=*/true)), text);
  const std::vector<int32_t> special = model_.Tokenize(text, /*first=*/false, /*special=*/true);
  EXPECT_EQ(special, Joined(model_.Tokenize("And God said", false), {special.back()}));
  EXPECT_TRUE(model_.IsStop(special.back()));
  EXPECT_FALSE(model_.IsStop(special.front()));
  EXPECT_FALSE(model_.IsStop(-1));
  const LanguageModel session(model_);
  EXPECT_EQ(model_.Tokenize("And", /*first=*/true), session.Tokenize("And"));
  EXPECT_EQ(model_.Tokenize("And", true).size(), model_.Tokenize("And", false).size() + 1);

  char buffer[4] = "???";
  size_t bytes = 0;
  EXPECT_EQ(
      bitfetch_model_detokenize(model_.get(), special.data(), special.size(), buffer, 3, &bytes),
      BITFETCH_OK);
  EXPECT_STREQ(buffer, "And");
  EXPECT_EQ(bytes, 12u);
  const int32_t unknown = 1 << 20;
  ExpectStatus(bitfetch_model_detokenize(model_.get(), &unknown, 1, nullptr, 0, &bytes),
               BITFETCH_INVALID_ARGUMENT, "1048576");
}

TEST_F(CApiSequence, AnEmbeddingIsOfLengthOneAndThatOfTheSameTextAnywhere) {
  Sequence sequence(model_);
  std::vector<float> embedding(model_.hidden()), other(model_.hidden());
  ExpectStatus(bitfetch_sequence_embedding(sequence.get(), embedding.data()), BITFETCH_FAILED,
               "nothing was appended");
  sequence.Append(SomeTokens(20, 1));
  sequence.Embedding(embedding.data());
  double squares = 0;
  for (const float x : embedding) squares += double{x} * x;
  EXPECT_NEAR(squares, 1, 1e-6);
  sequence.Fork().Embedding(other.data());
  EXPECT_EQ(embedding, other);
  sequence.Append(SomeTokens(1, 2));
  sequence.Embedding(other.data());
  EXPECT_NE(embedding, other);
}

TEST_F(CApiSequence, MoreThanTheContextIsRefusedAndLosesNothing) {
  Sequence sequence(model_);
  sequence.Append(SomeTokens(500, 1));
  const std::vector<float> logits = LogitsOf(model_, sequence);
  const std::vector<int32_t> more = SomeTokens(13, 2);
  ExpectStatus(bitfetch_sequence_append(sequence.get(), more.data(), more.size()),
               BITFETCH_CONTEXT_FULL, "512");
  EXPECT_EQ(sequence.length(), 500);
  EXPECT_EQ(LogitsOf(model_, sequence), logits);
  const auto on_text = [](const char*, size_t, void*) { return 1; };
  const std::string prompt(200, 'x');
  ExpectStatus(bitfetch_sequence_generate(sequence.get(), prompt.data(), prompt.size(), nullptr,
                                          on_text, nullptr),
               BITFETCH_CONTEXT_FULL, "512");
  EXPECT_EQ(LogitsOf(model_, sequence), logits);
}

TEST_F(CApiSequence, AKvCacheThatIsFullIsAnErrorUntilSomebodyGoes) {
  bitfetch_model_options options = QuietModelOptions();
  options.context = 64;
  options.kv_tokens = 96;
  const Model model(kTinyModel, options);
  std::optional<Sequence> one(model);
  one->Append(SomeTokens(64, 1));
  Sequence other(model);
  const std::vector<int32_t> tokens = SomeTokens(50, 2);
  EXPECT_EQ(bitfetch_sequence_append(other.get(), tokens.data(), tokens.size()), BITFETCH_FAILED);
  EXPECT_EQ(other.length(), 0);
  one.reset();
  other.Append(tokens);
  EXPECT_EQ(LogitsOf(model, other), LogitsAlone(tokens));
}

TEST_F(CApiSequence, OutlivesTheModel) {
  const std::string text = [&] {
    Sequence sequence(model_);
    return Generated(sequence, "And", ShortSampling(5));
  }();
  std::optional<Model> model(std::in_place, kTinyModel, QuietModelOptions());
  Sequence sequence(*model);
  LanguageModel session(*model);
  model.reset();
  EXPECT_EQ(Generated(session, "And", ShortSampling(5)), text);
  Sequence fork = sequence.Fork();
  EXPECT_EQ(Generated(fork, "And", ShortSampling(5)), text);
}

TEST_F(CApiSequence, BadArgumentsAreErrorsThatSayWhich) {
  const auto expect_invalid = [](bitfetch_status status, const std::string& message) {
    ExpectStatus(status, BITFETCH_INVALID_ARGUMENT, message);
  };
  bitfetch_model* model = nullptr;
  bitfetch_model_options options = QuietModelOptions();
  options.kv_tokens = -1;
  expect_invalid(bitfetch_model_open(kTinyModel.c_str(), &options, &model), "kv_tokens: -1");
  options.struct_size = 0;
  expect_invalid(bitfetch_model_open(kTinyModel.c_str(), &options, &model), "struct_size is 0");
  EXPECT_EQ(model, nullptr);
  expect_invalid(bitfetch_model_open(nullptr, nullptr, &model), "path");
  expect_invalid(bitfetch_model_open("x", nullptr, nullptr), "model");
  EXPECT_EQ(bitfetch_model_open("none.gguf", nullptr, &model), BITFETCH_FAILED);
  EXPECT_EQ(model, nullptr);

  bitfetch_sequence* sequence = nullptr;
  bitfetch_session* session = nullptr;
  size_t count = 0;
  expect_invalid(bitfetch_sequence_create(nullptr, nullptr, &sequence), "model");
  expect_invalid(bitfetch_sequence_create(model_.get(), nullptr, nullptr), "sequence");
  expect_invalid(bitfetch_session_create(nullptr, &session), "model");
  expect_invalid(bitfetch_session_create(model_.get(), nullptr), "session");
  expect_invalid(bitfetch_sequence_fork(nullptr, &sequence), "sequence");
  expect_invalid(bitfetch_sequence_truncate(nullptr, 0), "sequence");
  expect_invalid(bitfetch_sequence_tokens(nullptr, nullptr, 0, &count), "sequence");
  expect_invalid(bitfetch_sequence_append(nullptr, nullptr, 0), "sequence");
  expect_invalid(bitfetch_sequence_logits(nullptr, nullptr), "sequence");
  expect_invalid(bitfetch_sequence_embedding(nullptr, nullptr), "sequence");
  expect_invalid(bitfetch_sequence_generate(nullptr, "", 0, nullptr, nullptr, nullptr), "sequence");
  expect_invalid(bitfetch_model_tokenize(nullptr, "", 0, 0, 0, nullptr, 0, &count), "model");
  EXPECT_EQ(bitfetch_model_vocab(nullptr), 0);
  EXPECT_EQ(bitfetch_model_hidden(nullptr), 0);
  EXPECT_EQ(bitfetch_model_context(nullptr), 0);
  EXPECT_EQ(bitfetch_model_is_stop(nullptr, 0), 0);
  EXPECT_EQ(bitfetch_sequence_length(nullptr), 0);
  bitfetch_model_close(nullptr);
  bitfetch_sequence_free(nullptr);

  Sequence real(model_);
  expect_invalid(bitfetch_sequence_fork(real.get(), nullptr), "fork");
  expect_invalid(bitfetch_sequence_truncate(real.get(), -1), "length: -1");
  expect_invalid(bitfetch_sequence_append(real.get(), nullptr, 1), "tokens");
  EXPECT_EQ(bitfetch_sequence_append(real.get(), nullptr, 0), BITFETCH_OK);
  const int32_t negative = -1;
  expect_invalid(bitfetch_sequence_append(real.get(), &negative, 1), "token -1 is out of range");
  EXPECT_EQ(real.length(), 0);
}

}  // namespace
}  // namespace bitfetch
