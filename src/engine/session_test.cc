// SPDX-License-Identifier: Apache-2.0
#include "engine/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

const EngineOptions kQuiet = {.threads = 2, .prefetch = {PrefetchSetting::Mode::kOff}};

class SessionTest : public testing::Test {
 protected:
  SessionTest() { EXPECT_TRUE(WriteTestModel(path_, {.vocab = 50, .context = 100})); }

  std::unique_ptr<Session> Open(EngineOptions options = kQuiet) {
    auto session = Session::Open(path_, options);
    EXPECT_TRUE(session) << session.error().message;
    return *std::move(session);
  }

  TempDir folder_;
  std::string path_ = folder_.Path("model.gguf");
};

std::vector<int> SomeTokens(int count, int seed = 0) {
  std::vector<int> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 17 + seed) % 50);
  return tokens;
}

std::vector<float> LogitsOf(Session& session) {
  std::vector<float> logits;
  const auto by_id = session.Logits().value();
  for (const Logit& logit : by_id) logits.push_back(logit.value);
  return logits;
}

TEST_F(SessionTest, ContextComesFromTheModelOrTheOptions) {
  EXPECT_EQ(Open()->context(), 100);
  EngineOptions options = kQuiet;
  options.context = 17;
  EXPECT_EQ(Open(options)->context(), 17);
  options.max_default_context = 16;
  EXPECT_EQ(Open(options)->context(), 17);
  options.context = 0;
  EXPECT_EQ(Open(options)->context(), 16);
  options.max_default_context = 200;
  EXPECT_EQ(Open(options)->context(), 100);
}

TEST_F(SessionTest, AContextAboveTheSlidingWindowIsRefused) {
  TestModelWriter writer({.vocab = 50, .context = 100});
  writer.writer().Add<uint32_t>("bitnet-b1.58.attention.sliding_window", 64);
  ASSERT_TRUE(writer.Write(path_));
  EngineOptions options = kQuiet;
  for (const int64_t refused : {0, 65, 200}) {  // 0: the model's 100
    options.context = refused;
    const auto session = Session::Open(path_, options);
    ASSERT_FALSE(session) << refused;
    EXPECT_THAT(session.error().message, HasSubstr("bitnet-b1.58.attention.sliding_window is 64"));
  }
  options.context = 64;
  EXPECT_EQ(Open(options)->context(), 64);
}

TEST_F(SessionTest, AFullContextIsAnErrorThatLosesNothing) {
  const auto session = Open();
  ASSERT_TRUE(session->Append(SomeTokens(90)));
  const auto before = session->tokens();
  const auto status = session->Append(SomeTokens(11));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message,
              HasSubstr("the context of 100 tokens is full: 11 more do not fit behind 90"));
  EXPECT_EQ(session->tokens(), before);
  ASSERT_TRUE(session->Append(SomeTokens(10, 3)));

  const auto fresh = Open();
  auto all = SomeTokens(90);
  const auto more = SomeTokens(10, 3);
  all.insert(all.end(), more.begin(), more.end());
  ASSERT_TRUE(fresh->Append(all));
  EXPECT_EQ(LogitsOf(*session), LogitsOf(*fresh));
}

TEST_F(SessionTest, AnUnknownTokenIsAnErrorThatLosesNothing) {
  const auto session = Open();
  ASSERT_TRUE(session->Append(SomeTokens(5)));
  for (const int bad : {-1, 50, 1 << 30}) {
    auto tokens = SomeTokens(70);
    tokens[69] = bad;  // in the second batch
    const auto status = session->Append(tokens);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("is out of range: the vocabulary has 50"));
    EXPECT_EQ(session->length(), 5);
    EXPECT_EQ(session->cache().length(), 5);
  }
}

TEST_F(SessionTest, TruncatingIsLikeNeverHavingSeen) {
  const auto session = Open();
  ASSERT_TRUE(session->Append(SomeTokens(60)));
  session->Truncate(20);
  ASSERT_TRUE(session->Append(SomeTokens(30, 9)));
  const auto fresh = Open();
  ASSERT_TRUE(fresh->Append(SomeTokens(20)));
  ASSERT_TRUE(fresh->Append(SomeTokens(30, 9)));
  EXPECT_EQ(LogitsOf(*session), LogitsOf(*fresh));
  EXPECT_EQ(session->tokens(), fresh->tokens());
}

TEST_F(SessionTest, ThereAreLogitsOnlyOfTheLastToken) {
  const auto session = Open();
  EXPECT_FALSE(session->Logits());
  ASSERT_TRUE(session->Append(SomeTokens(7)));
  EXPECT_EQ(session->Logits().value().size(), 50u);
  session->Truncate(7);
  EXPECT_TRUE(session->Logits());
  session->Truncate(6);
  EXPECT_FALSE(session->Logits());
  ASSERT_TRUE(session->Append(SomeTokens(1)));
  EXPECT_TRUE(session->Logits());
}

TEST_F(SessionTest, ReadingTheFileGivesWhatMappingGives) {
  EngineOptions options = kQuiet;
  options.mmap = false;
  const auto read = Open(options);
  const auto mapped = Open();
  ASSERT_TRUE(read->Append(SomeTokens(10)));
  ASSERT_TRUE(mapped->Append(SomeTokens(10)));
  EXPECT_EQ(LogitsOf(*read), LogitsOf(*mapped));
}

TEST_F(SessionTest, RefusesACacheThatIsLargerThanMemory) {
  EngineOptions options = kQuiet;
  options.context = int64_t{1} << 40;
  const auto session = Session::Open(path_, options);
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().message, HasSubstr("choose a smaller --ctx"));
}

TEST_F(SessionTest, NamesAMissingFile) {
  const auto session = Session::Open(folder_.Path("none.gguf"), kQuiet);
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().message, HasSubstr("none.gguf"));
}

class DamagedModelTest : public testing::Test {
 protected:
  // Writes the model, then other bytes over the file where `text` stands first, or at the beginning
  // of a tensor's data.
  void Write(const TestModel& shape) { ASSERT_TRUE(WriteTestModel(path_, shape)); }
  void OverwriteTensor(const std::string& name, const std::string& bytes) {
    const GgufReader file = GgufReader::Open(path_).value();
    const auto whole = MappedFile::Open(path_).value();
    const std::string_view text(reinterpret_cast<const char*>(whole.bytes().data()),
                                whole.bytes().size());
    const auto data = file.FindTensor(name)->data;
    Overwrite(text.find(std::string_view(reinterpret_cast<const char*>(data.data()), data.size())),
              bytes);
  }
  void OverwriteText(const std::string& text, const std::string& bytes) {
    const auto whole = MappedFile::Open(path_).value();
    Overwrite(
        std::string_view(reinterpret_cast<const char*>(whole.bytes().data()), whole.bytes().size())
            .find(text),
        bytes);
  }
  void Overwrite(size_t offset, const std::string& bytes) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }

  std::string Message() {
    const auto session = Session::Open(path_, kQuiet);
    return session ? "loaded" : session.error().message;
  }

  TempDir folder_;
  std::string path_ = folder_.Path("model.gguf");
};

std::string Bits(float value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

const std::string kNan = Bits(NAN);

TEST_F(DamagedModelTest, NormsThatAreNotFiniteAreRefused) {
  Write({});
  EXPECT_EQ(Message(), "loaded");
  OverwriteTensor("blk.1.ffn_norm.weight", kNan);
  EXPECT_THAT(Message(),
              HasSubstr("tensor blk.1.ffn_norm.weight is damaged: element 0 is not finite"));
}

TEST_F(DamagedModelTest, ActivationsThatOverflowNameTheLayer) {
  Write({});
  std::string huge;
  for (int i = 0; i < 256; ++i) huge += Bits(3e38f);
  OverwriteTensor("blk.1.ffn_norm.weight", huge);
  const auto session = Session::Open(path_, kQuiet).value();
  const auto status = session->Append(std::vector<int>{1});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("activations of layer 1 are not finite"));
  EXPECT_EQ(session->cache().length(), 0);
}

TEST_F(DamagedModelTest, EmbeddingsOutOfTheOrdinaryGiveFiniteLogits) {
  std::string zeros;
  for (int i = 0; i < 256; ++i) zeros += Bits(0);  // all of token 0
  for (const std::string& first : {zeros, Bits(1e30f), Bits(-3e38f), Bits(1e-42f)}) {
    Write({.embedding = TensorType::kF32, .own_output = true});
    OverwriteTensor("token_embd.weight", first);
    const auto session = Session::Open(path_, kQuiet).value();
    ASSERT_TRUE(session->Append(std::vector<int>{0, 1, 0}));
    for (const float logit : LogitsOf(*session)) EXPECT_TRUE(std::isfinite(logit));
  }
}

TEST_F(DamagedModelTest, ActivationsThatAreNotFiniteAreAnErrorThatLosesNothing) {
  Write({.embedding = TensorType::kF32});
  OverwriteTensor("token_embd.weight", kNan);
  const auto session = Session::Open(path_, kQuiet).value();
  ASSERT_TRUE(session->Append(SomeTokens(2, 1)));
  const std::vector<int> damaged = {1, 0, 2};
  const auto status = session->Append(damaged);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message,
              HasSubstr("the embedding of a token is not finite: tensor token_embd.weight"));
  EXPECT_EQ(session->length(), 2);
  EXPECT_EQ(session->cache().length(), 2);
}

TEST_F(DamagedModelTest, LogitsThatAreNotFiniteAreAnError) {
  Write({.embedding = TensorType::kF32, .own_output = true});
  OverwriteTensor("output.weight", kNan);
  const auto session = Session::Open(path_, kQuiet).value();
  ASSERT_TRUE(session->Append(SomeTokens(3, 1)));
  const auto logits = session->Logits();
  ASSERT_FALSE(logits);
  EXPECT_THAT(logits.error().message, HasSubstr("the logits are not finite"));
  std::vector<float> all(48);
  const Status status = session->AppendBatch(SomeTokens(1), all.data());
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("the logits are not finite"));
  EXPECT_EQ(session->length(), 3);
}

TEST_F(DamagedModelTest, AnInt8CopyOfAHeadThatIsNotFiniteIsRefused) {
  Write({.own_output = true});
  OverwriteTensor("output.weight", std::string("\0\x7c", 2));  // infinity in f16
  EngineOptions options = kQuiet;
  options.screen_from_bytes = 0;
  const auto session = Session::Open(path_, options);
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().message,
              HasSubstr("model.gguf: tensor output.weight is damaged: row 0 is not finite"));
}

TEST_F(DamagedModelTest, TensorsThatNothingUsesAreRefused) {
  Write({.own_output = true});
  const std::string length("\x0d\0\0\0\0\0\0\0",
                           8);  // stands before the name, and not before blk.0.attn_output's
  OverwriteText(length + "output.weight", length + "outpux.weight");
  EXPECT_THAT(Message(), HasSubstr("tensor outpux.weight is not part of a model"));
}

TEST_F(DamagedModelTest, NamesTensorsThatAreMissingOrOfTheWrongType) {
  Write({.embedding = TensorType::kI2_S});
  EXPECT_THAT(Message(), HasSubstr("token_embd.weight is I2_S"));
  Write({});
  OverwriteText("blk.1.attn_k.weight", "blk.1.attn_x.weight");
  EXPECT_THAT(Message(), HasSubstr("blk.1.attn_k.weight"));
}

}  // namespace
}  // namespace bitfetch
