// SPDX-License-Identifier: Apache-2.0
// Our ids against those that published tokenizers give, from testdata/tokenizer_ids.json, which
// tools/tokenizer_golden.mjs made. The vocabularies are too large to be kept here:
// BITFETCH_TOKENIZERS is a folder of them, which tools/tokenizers.sh fetches.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json_value.h"
#include "convert/tokenizer_json.h"
#include "text/normal_form.h"
#include "text/piece_alphabet.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

JsonValue ReadJson(const std::string& path) {
  Result<JsonValue> json = ReadJsonFile(path);
  EXPECT_TRUE(json) << json.error().message;
  return json ? *std::move(json) : JsonValue();
}

JsonValue ReadData(const std::string& name) {
  return ReadJson(BITFETCH_SOURCE_DIR "/src/text/testdata/" + name);
}

const JsonValue::List& List(const JsonValue& object, std::string_view key) {
  return *object.Find<JsonValue::List>(key);
}

int64_t Number(const JsonValue& object, std::string_view key) { return *object.Find<int64_t>(key); }

// As tools/tokenizer_golden.mjs makes them.
std::vector<std::string> Texts() {
  const JsonValue data = ReadData("tokenizer_texts.json");
  std::vector<std::string> texts;
  for (const JsonValue& group : List(data, "texts")) {
    for (const JsonValue& text : List(group, "texts")) texts.push_back(*text.As<std::string>());
  }
  uint64_t state = 2025;
  const auto random = [&](size_t n) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % n;
  };
  const JsonValue& pool = *data.Find("random");
  const JsonValue::List& pieces = List(pool, "pieces");
  for (int64_t i = Number(pool, "texts"); i > 0; --i) {
    std::string& text = texts.emplace_back();
    for (size_t n = 1 + random(24); n > 0; --n) {
      text += *pieces[random(pieces.size())].As<std::string>();
    }
  }
  for (const JsonValue& run : List(data, "repeated")) {
    std::string& text = texts.emplace_back();
    for (int64_t n = Number(run, "times"); n > 0; --n) text += *run.Find<std::string>("piece");
  }
  return texts;
}

int64_t Hash(const std::vector<int>& ids) {
  uint32_t hash = 0x811c9dc5;
  for (const int id : ids) hash = (hash ^ static_cast<uint32_t>(id)) * 0x01000193;
  return hash;
}

class PublishedTokenizers : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("BITFETCH_TOKENIZERS");
    if (!folder || !*folder) {
      GTEST_SKIP() << "the published tokenizers were not fetched: BITFETCH_TOKENIZERS is not set";
    }
    const std::string path = fmt::format("{}/{}/", folder, GetParam());
    Result<Vocabulary> vocabulary = ReadTokenizerJson(ReadJson(path + "tokenizer.json"),
                                                      ReadJson(path + "tokenizer_config.json"));
    ASSERT_TRUE(vocabulary) << vocabulary.error().message;
    kind_ = vocabulary->kind;
    normal_form_ = vocabulary->pre == "qwen2";
    Result<Tokenizer> tokenizer = Tokenizer::Create(*vocabulary);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    tokenizer_ = std::make_unique<Tokenizer>(*std::move(tokenizer));
  }

  // What a tokenizer keeps of a text, and so all that can come back.
  std::string Kept(const std::string& text) const {
    if (kind_ == TokenizerKind::kSentencePieceBpe) return FromPieceSpaces(text);
    if (!normal_form_) return text;
    std::string buffer;
    return std::string(ToNormalForm(text, &buffer));
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  bool normal_form_ = false;
  TokenizerKind kind_ = TokenizerKind::kByteLevelBpe;
};

TEST_P(PublishedTokenizers, SameIdsAndBack) {
  const std::vector<std::string> texts = Texts();
  const JsonValue golden = ReadData("tokenizer_ids.json");
  const JsonValue::List& hashes = List(golden, GetParam());
  ASSERT_EQ(texts.size(), hashes.size());
  ASSERT_GE(texts.size(), 1200u);
  for (size_t i = 0; i < texts.size(); ++i) {
    const Result<std::vector<int>> ids = tokenizer_->Encode(texts[i], /*add_bos=*/false);
    ASSERT_TRUE(ids) << ids.error().message;
    const auto about = [&] {
      return fmt::format(
          "{}...: {} ...", texts[i].substr(0, 500),
          fmt::join(ids->begin(), ids->begin() + std::min<size_t>(ids->size(), 500), ","));
    };
    EXPECT_EQ(Hash(*ids), *hashes[i].As<int64_t>()) << about();
    EXPECT_TRUE(Kept(tokenizer_->Decode(*ids).value()) == Kept(texts[i])) << about();
  }
}

// By Hugging Face's library. A space stands in front of each stretch of Llama-2's text, and of none
// of the others'.
TEST_P(PublishedTokenizers, SameIdsOfControlTokensInAText) {
  using Ids = std::vector<int>;
  const std::map<std::string, std::vector<std::pair<std::string, Ids>>> wanted = {
      {"llama3",
       {{"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>",
         {128000, 128006, 882, 128007, 271, 13347, 1070, 128009}},
        {"a <|eot_id|> b", {64, 220, 128009, 293}}}},
      {"qwen3",
       {{"<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
         {151644, 872, 198, 13048, 1052, 151645, 198, 151644, 77091, 198, 151667, 271, 151668,
          271}},
        {"a <|im_end|> b", {64, 220, 151645, 293}}}},
      {"llama2",
       {{"<s>[INST] Hi there [/INST] a</s><s>[INST] b",
         {1, 733, 16289, 28793, 15359, 736, 733, 28748, 16289, 28793, 264, 2, 1, 733, 16289, 28793,
          287}},
        {"a </s> b", {264, 28705, 2, 28705, 287}},
        {"</s>\nb", {2, 28705, 13, 28726}}}},
      {"gemma3",
       {{"<bos><start_of_turn>user\nHi there<end_of_turn>\n<start_of_turn>model\n",
         {2, 105, 2364, 107, 10979, 993, 106, 107, 105, 4368, 107}},
        {"a <eos> b", {236746, 236743, 1, 518}}}}};
  for (const auto& [text, ids] : wanted.at(GetParam())) {
    EXPECT_EQ(tokenizer_->Encode(text, /*add_bos=*/false, nullptr, /*special=*/true), ids) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(, PublishedTokenizers,
                         testing::Values("llama3", "qwen3", "llama2", "gemma3"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace bitfetch
