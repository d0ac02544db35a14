// SPDX-License-Identifier: Apache-2.0
#include "engine/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

const SessionOptions kQuiet = {.threads = 2, .prefetch = {PrefetchSetting::Mode::kOff}};

class SessionTest : public testing::Test {
 protected:
  SessionTest() { EXPECT_TRUE(WriteTestModel(path_, {.vocab = 50, .context = 100})); }

  std::unique_ptr<Session> Open(SessionOptions options = kQuiet) {
    auto session = Session::Open(path_, options);
    EXPECT_TRUE(session) << session.error().message;
    return *std::move(session);
  }

  TempDir folder_;
  std::string path_ = folder_.Path("model.gguf");
};

std::vector<int> Tokens(int count, int seed = 0) {
  std::vector<int> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 17 + seed) % 50);
  return tokens;
}

std::vector<float> Copy(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

TEST_F(SessionTest, ContextComesFromTheModelOrTheOptions) {
  EXPECT_EQ(Open()->context(), 100);
  SessionOptions options = kQuiet;
  options.context = 17;
  EXPECT_EQ(Open(options)->context(), 17);
}

TEST_F(SessionTest, AFullContextIsAnErrorThatLosesNothing) {
  const auto session = Open();
  ASSERT_TRUE(session->Append(Tokens(90)));
  const auto before = session->tokens();
  const Status status = session->Append(Tokens(11));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message,
              HasSubstr("the context of 100 tokens is full: 11 more do not fit behind 90"));
  EXPECT_EQ(session->tokens(), before);
  ASSERT_TRUE(session->Append(Tokens(10, 3)));

  const auto fresh = Open();
  auto all = Tokens(90);
  const auto more = Tokens(10, 3);
  all.insert(all.end(), more.begin(), more.end());
  ASSERT_TRUE(fresh->Append(all));
  EXPECT_EQ(Copy(session->logits()), Copy(fresh->logits()));
}

TEST_F(SessionTest, AnUnknownTokenIsAnErrorThatLosesNothing) {
  const auto session = Open();
  ASSERT_TRUE(session->Append(Tokens(5)));
  for (const int bad : {-1, 50, 1 << 30}) {
    auto tokens = Tokens(70);
    tokens[69] = bad;  // in the second batch
    const Status status = session->Append(tokens);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("is out of range: the vocabulary has 50"));
    EXPECT_EQ(session->length(), 5);
    EXPECT_EQ(session->cache().length(), 5);
  }
}

TEST_F(SessionTest, TruncatingIsLikeNeverHavingSeen) {
  const auto session = Open();
  ASSERT_TRUE(session->Append(Tokens(60)));
  session->Truncate(20);
  ASSERT_TRUE(session->Append(Tokens(30, 9)));
  const auto fresh = Open();
  ASSERT_TRUE(fresh->Append(Tokens(20)));
  ASSERT_TRUE(fresh->Append(Tokens(30, 9)));
  EXPECT_EQ(Copy(session->logits()), Copy(fresh->logits()));
  EXPECT_EQ(session->tokens(), fresh->tokens());
}

TEST_F(SessionTest, ReadingTheFileGivesWhatMappingGives) {
  SessionOptions options = kQuiet;
  options.mmap = false;
  const auto read = Open(options);
  const auto mapped = Open();
  ASSERT_TRUE(read->Append(Tokens(10)));
  ASSERT_TRUE(mapped->Append(Tokens(10)));
  EXPECT_EQ(Copy(read->logits()), Copy(mapped->logits()));
}

TEST_F(SessionTest, RefusesACacheThatIsLargerThanMemory) {
  SessionOptions options = kQuiet;
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

TEST(SessionLoading, NamesTensorsThatAreMissingOrDoNotFit) {
  const TempDir folder;
  const std::string path = folder.Path("model.gguf");
  const auto message = [&](const TestModel& shape, auto change) {
    TestModelWriter writer(shape);
    change(writer.writer());
    EXPECT_TRUE(writer.Write(path));
    const auto session = Session::Open(path, kQuiet);
    return session ? std::string("loaded") : session.error().message;
  };
  EXPECT_EQ(message({}, [](GgufWriter&) {}), "loaded");
  EXPECT_THAT(
      message({.linear = TensorType::kI2_S, .embedding = TensorType::kI2_S}, [](GgufWriter&) {}),
      HasSubstr("token_embd.weight"));
}

}  // namespace
}  // namespace bitfetch
