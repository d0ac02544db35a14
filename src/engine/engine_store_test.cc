// SPDX-License-Identifier: Apache-2.0
// Engines one after another, over one store of KV.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/same_bits.h"
#include "base/temp_dir.h"
#include "engine/engine.h"
#include "kv/digest.h"
#include "model/test_model.h"
#include "tier/test_redis.h"

namespace bitfetch {
namespace {

class EngineStoreTest : public testing::Test {
 protected:
  EngineStoreTest() { EXPECT_TRUE(WriteTestModel(path_, {.vocab = 50, .context = 300})); }

  std::unique_ptr<Engine> Start(const StoreOptions& store, KvTypes types = {}) {
    EngineOptions options{.threads = 2, .kv_types = types, .pages = PageSize::k4K};
    options.prefetch = {PrefetchSetting::Mode::kOff};
    options.store = store;
    return Engine::Open(path_, options).value();
  }

  // The logits behind `tokens`, in an engine that was just started; `*adopted`: how many of them
  // were there.
  std::vector<float> Logits(const StoreOptions& store, std::span<const int> tokens,
                            int64_t* adopted, KvTypes types = {}) {
    const std::unique_ptr<Engine> engine = Start(store, types);
    Sequence sequence = engine->NewSequence().value();
    *adopted = 0;
    for (bool is_coming = true; is_coming;) {
      *adopted += engine->Adopt(sequence, tokens.subspan(*adopted), &is_coming);
      if (is_coming) engine->WaitForKv();
    }
    SequencePiece piece{.sequence = &sequence, .tokens = tokens.subspan(*adopted)};
    EXPECT_TRUE(engine->Run({&piece, 1}));
    EXPECT_TRUE(piece.status);
    LogitsQuery query{.sequence = &sequence};
    engine->Logits({&query, 1});
    std::vector<float> logits(50);
    for (const Logit& logit : query.logits) logits[logit.id] = logit.value;
    return logits;
  }

  std::vector<int> Tokens(int count) {
    std::vector<int> tokens(count);
    for (int& token : tokens) token = static_cast<int>(random_() % 50);
    return tokens;
  }

  TempDir dir_;
  std::string path_ = dir_.Path("model.gguf");
  std::string folder_ = dir_.Path("kv");
  StoreOptions disk_ = {.cache_dir = folder_};
  std::mt19937 random_{1};
};

TEST_F(EngineStoreTest, LogitsAreTheSameFromDiskWithEveryType) {
  for (const KvType type : kKvTypes) {
    const std::vector<int> tokens = Tokens(200);
    int64_t adopted = 0;
    const std::vector<float> alone = Logits({}, tokens, &adopted, {type, type});
    EXPECT_EQ(adopted, 0);
    EXPECT_TRUE(SameBits(Logits(disk_, tokens, &adopted, {type, type}), alone));
    EXPECT_EQ(adopted, 0);
    EXPECT_TRUE(SameBits(Logits(disk_, tokens, &adopted, {type, type}), alone));
    EXPECT_EQ(adopted, 192);
  }
}

// Redis has it from one engine, and the folder of the next has it then too.
TEST_F(EngineStoreTest, LogitsAreTheSameFromRedisAndFromBoth) {
  TestRedis redis;
  const StoreOptions far = {.kv_store = {redis.address()}};
  const StoreOptions both = {.cache_dir = folder_, .kv_store = {redis.address()}};
  for (const KvTypes types : {KvTypes{}, KvTypes{KvType::kQ8_0, KvType::kQ4_0}}) {
    const std::vector<int> tokens = Tokens(200);
    int64_t adopted = 0;
    const std::vector<float> alone = Logits({}, tokens, &adopted, types);
    const auto expect = [&](const StoreOptions& store, int64_t count) {
      EXPECT_TRUE(SameBits(Logits(store, tokens, &adopted, types), alone));
      EXPECT_EQ(adopted, count);
    };
    expect(far, 0);
    expect(far, 192);
    expect(disk_, 0);
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".kv" && random_() % 4 != 0) {
        std::filesystem::remove(entry.path());
      }
    }
    expect(both, 192);
  }
  redis.Kill();
  testing::internal::CaptureStderr();
  int64_t adopted = 0;
  const std::vector<int> tokens = Tokens(100);
  EXPECT_TRUE(SameBits(Logits(far, tokens, &adopted), Logits({}, tokens, &adopted)));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, testing::HasSubstr("KV is computed meanwhile"));
  EXPECT_EQ(std::ranges::count(said, '\n'), 1);
}

// Names and bytes of all records, which any machine writes alike: what one wrote another reads.
TEST_F(EngineStoreTest, RecordsAreTheSameOnEveryMachine) {
  const auto records = [&](KvTypes types) {
    std::vector<int> tokens(100);
    for (int i = 0; i < 100; ++i) tokens[i] = i * 7 % 50;
    int64_t adopted = 0;
    Logits(disk_, tokens, &adopted, types);
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() != ".kv") continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
    }
    std::filesystem::remove_all(folder_);
    EXPECT_EQ(files.size(), 6u);
    Digester all;
    for (const auto& [name, bytes] : files) {
      all.Add(name);
      all.Add(bytes);
    }
    return HexOf(all.Finish()).substr(0, 16);
  };
  EXPECT_EQ(records({}), "f10bb0f8a4addf0b");
  EXPECT_EQ(records({KvType::kQ8_0, KvType::kQ4_0}), "a6abf7bf1e604c04");
}

TEST_F(EngineStoreTest, RunWaitsForWhatIsComing) {
  const std::vector<int> tokens = Tokens(200);
  int64_t adopted = 0;
  Logits(disk_, tokens, &adopted);
  const std::unique_ptr<Engine> engine = Start(disk_);
  Sequence sequence = engine->NewSequence().value();
  SequencePiece piece{.sequence = &sequence, .tokens = tokens};
  EXPECT_TRUE(engine->Run({&piece, 1}));
  EXPECT_TRUE(piece.status);
  EXPECT_EQ(sequence.cache().traffic().appended_bytes,
            (200 - 192) * static_cast<int64_t>(engine->pool().stride_bytes()) / kTileTokens);
}

TEST_F(EngineStoreTest, AnotherModelFindsNothing) {
  const std::vector<int> tokens = Tokens(100);
  int64_t adopted = 0;
  Logits(disk_, tokens, &adopted);
  EXPECT_TRUE(WriteTestModel(path_, {.vocab = 50, .context = 300, .seed = 2}));
  Logits(disk_, tokens, &adopted);
  EXPECT_EQ(adopted, 0);
}

TEST_F(EngineStoreTest, DamageInTheFolderChangesNoLogits) {
  const std::vector<int> tokens = Tokens(250);
  int64_t adopted = 0;
  const std::vector<float> alone = Logits({}, tokens, &adopted);
  Logits(disk_, tokens, &adopted);
  testing::internal::CaptureStderr();
  for (int round = 0; round < 20; ++round) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".kv") files.push_back(entry.path());
    }
    ASSERT_FALSE(files.empty());
    const auto& file = files[random_() % files.size()];
    const auto bytes = std::filesystem::file_size(file);
    if (random_() % 2 == 0) {
      std::filesystem::resize_file(file, random_() % bytes);
    } else {
      std::fstream stream(file, std::ios::in | std::ios::out);
      const auto at = static_cast<std::streamoff>(random_() % bytes);
      const int byte = stream.seekg(at).get();
      stream.seekp(at).put(static_cast<char>(byte ^ 4));
    }
    EXPECT_TRUE(SameBits(Logits(disk_, tokens, &adopted), alone)) << "round " << round;
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("damaged record"));
}

TEST_F(EngineStoreTest, AFolderThatCantBeIsAnErrorThatNamesIt) {
  EngineOptions options;
  options.store.cache_dir = path_;
  const auto engine = Engine::Open(path_, options);
  ASSERT_FALSE(engine);
  EXPECT_THAT(engine.error().message, testing::HasSubstr(path_));
}

}  // namespace
}  // namespace bitfetch
