// SPDX-License-Identifier: Apache-2.0
#include "convert/tokenizer_json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "text/byte_alphabet.h"
#include "text/test_patterns.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json Split(const char* pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

// Bytes, "he" and " t", then "<|end|>" and "<think>".
json ByteLevel() {
  json vocab;
  for (int byte = 0; byte < 256; ++byte) {
    const auto character = static_cast<char>(byte);
    vocab[ToByteAlphabet({&character, 1})] = byte;
  }
  vocab["he"] = 256;
  vocab["Ġt"] = 257;
  return {{"added_tokens",
           {{{"id", 258}, {"content", "<|end|>"}, {"special", true}},
            {{"id", 259}, {"content", "<think>"}, {"special", false}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           {{"type", "Sequence"},
            {"pretokenizers",
             {Split(kLlama3Pattern),
              {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}},
          {"model",
           {{"type", "BPE"},
            {"ignore_merges", true},
            {"vocab", vocab},
            {"merges", {"h e", json::array({"Ġ", "t"})}}}}};
}

json Pieces() {
  json vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int byte = 0; byte < 256; ++byte) vocab[fmt::format("<0x{:02X}>", byte)] = 3 + byte;
  for (const char* piece : {"h", "e", "▁", "he", "▁h", "▁▁"}) vocab[piece] = vocab.size();
  return {{"added_tokens",
           {{{"id", 0}, {"content", "<unk>"}, {"special", true}},
            {{"id", 1}, {"content", "<s>"}, {"special", true}},
            {{"id", 2}, {"content", "</s>"}, {"special", true}},
            {{"id", 264}, {"content", "▁▁"}, {"special", false}}}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "▁"}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}}}},
          {"model",
           {{"type", "BPE"},
            {"byte_fallback", true},
            {"unk_token", "<unk>"},
            {"vocab", vocab},
            {"merges", {"▁ h", "h e", "▁ ▁"}}}}};
}

Result<Vocabulary> Read(const json& tokenizer, const json& config = json::object()) {
  return ReadTokenizerJson(ParseJson(tokenizer.dump()).value(), ParseJson(config.dump()).value());
}

Vocabulary Good(const json& tokenizer, const json& config = json::object()) {
  Result<Vocabulary> vocabulary = Read(tokenizer, config);
  EXPECT_TRUE(vocabulary) << vocabulary.error().message;
  return vocabulary.value_or(Vocabulary());
}

std::string WhyNot(const json& tokenizer) {
  const Result<Vocabulary> vocabulary = Read(tokenizer);
  return vocabulary ? "accepted" : vocabulary.error().message;
}

TEST(TokenizerJson, ByteLevelBpe) {
  const Vocabulary vocabulary =
      Good(ByteLevel(), {{"bos_token", "<|end|>"}, {"eos_token", {{"content", "<|end|>"}}}});
  EXPECT_EQ(vocabulary.kind, TokenizerKind::kByteLevelBpe);
  EXPECT_EQ(vocabulary.pre, "llama-bpe");
  EXPECT_THAT(vocabulary.merges, ElementsAre("h e", "Ġ t"));
  EXPECT_EQ(vocabulary.tokens.size(), 260u);
  EXPECT_EQ(vocabulary.tokens[257], "Ġt");
  EXPECT_EQ(vocabulary.types[257], kNormalToken);
  EXPECT_EQ(vocabulary.types[258], kControlToken);
  EXPECT_EQ(vocabulary.types[259], kUserDefinedToken);
  EXPECT_EQ(vocabulary.bos, 258);
  EXPECT_EQ(vocabulary.eos, 258);
  EXPECT_TRUE(vocabulary.add_bos);  // as of Llama-3, where nothing says so
  EXPECT_FALSE(Good(ByteLevel(), {{"bos_token", "<|end|>"}, {"add_bos_token", false}}).add_bos);
  EXPECT_EQ(Tokenizer::Create(vocabulary)->Encode("he the", false).value(),
            (std::vector<int>{256, 257, 256}));
}

TEST(TokenizerJson, PretokenizersByTheirPatterns) {
  json qwen = ByteLevel();
  qwen["normalizer"] = {{"type", "NFC"}};
  qwen["pre_tokenizer"]["pretokenizers"][0] = Split(kQwen2Pattern);
  qwen["model"]["ignore_merges"] = false;
  EXPECT_EQ(Good(qwen).pre, "qwen2");

  json gpt2 = ByteLevel();
  gpt2["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  gpt2["model"].erase("ignore_merges");
  EXPECT_EQ(Good(gpt2).pre, "gpt-2");
  gpt2["normalizer"] = {{"type", "NFC"}};
  EXPECT_EQ(Good(gpt2).pre, "olmo");

  qwen["normalizer"] = nullptr;
  EXPECT_THAT(WhyNot(qwen), HasSubstr("the pre-tokenizer's pattern is not known: (?i:'s"));
  qwen["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_EQ(WhyNot(qwen), "normalizer 'Lowercase' is not supported");
  gpt2["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_THAT(WhyNot(gpt2), HasSubstr("space"));
  json digits = ByteLevel();
  digits["pre_tokenizer"]["pretokenizers"][0] = {{"type", "Digits"}};
  EXPECT_EQ(WhyNot(digits), "pre-tokenizer 'Digits' is not supported");
}

TEST(TokenizerJson, SentencePieceBpe) {
  const Vocabulary vocabulary = Good(Pieces(), {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  EXPECT_EQ(vocabulary.kind, TokenizerKind::kSentencePieceBpe);
  EXPECT_TRUE(vocabulary.add_space_prefix);
  EXPECT_TRUE(vocabulary.add_bos) << "the post-processor says so";
  EXPECT_FALSE(vocabulary.add_eos);
  EXPECT_EQ(vocabulary.unknown, 0);
  EXPECT_EQ(vocabulary.types[0], kUnknownToken);
  EXPECT_EQ(vocabulary.types[3], kByteToken);
  EXPECT_EQ(vocabulary.tokens[264], "  ") << "user-defined tokens are plain text";
  EXPECT_GT(vocabulary.scores[263], vocabulary.scores[262]) << "made earlier";
  EXPECT_GT(vocabulary.scores[262], vocabulary.scores[259]) << "not made at all";
  EXPECT_EQ(Tokenizer::Create(vocabulary)->Encode("he", true).value(),
            (std::vector<int>{1, 263, 260}));

  EXPECT_FALSE(Good(Pieces(), {{"bos_token", "<s>"}, {"add_bos_token", false}}).add_bos);
  EXPECT_EQ(Good(Pieces(), {{"bos_token", "</s>"}}).bos, vocabulary.bos) << "and which";
  EXPECT_TRUE(Good(Pieces(), {{"eos_token", "</s>"}, {"add_eos_token", true}}).add_eos);
}

TEST(TokenizerJson, WhereSpacesAreMarked) {
  json gemma = Pieces();
  gemma["normalizer"] = gemma["normalizer"]["normalizers"][1];
  gemma["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"String", " "}}}};
  EXPECT_FALSE(Good(gemma).add_space_prefix);

  json later = Pieces();
  later["normalizer"] = nullptr;
  EXPECT_EQ(WhyNot(later), "spaces are not spelt as SentencePiece does");
  later["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}};
  EXPECT_TRUE(Good(later).add_space_prefix);
  later["pre_tokenizer"]["prepend_scheme"] = "never";
  EXPECT_FALSE(Good(later).add_space_prefix);
  later["pre_tokenizer"] = {{"type", "Whitespace"}};
  EXPECT_EQ(WhyNot(later), "pre-tokenizer 'Whitespace' is not supported");
}

TEST(TokenizerJson, AnIdThatNoTokenHasIsUnused) {
  json gap = ByteLevel();
  gap["added_tokens"][1]["id"] = 261;
  const Vocabulary vocabulary = Good(gap);
  EXPECT_EQ(vocabulary.tokens.size(), 262u);
  EXPECT_EQ(vocabulary.tokens[260], "[PAD260]");
  EXPECT_EQ(vocabulary.types[260], kUnusedToken);
}

TEST(TokenizerJson, ManyTokensAreTooMany) {
  std::string vocab;
  for (int id = 0; id <= 1 << 20; ++id) vocab += fmt::format(R"("{}":{},)", id, id);
  vocab.back() = '}';
  const std::string text = fmt::format(
      R"({{"pre_tokenizer":{{"type":"ByteLevel"}},"model":{{"type":"BPE","merges":[],"vocab":{{{}}}}})",
      vocab);
  const auto vocabulary = ReadTokenizerJson(ParseJson(text).value(), {});
  ASSERT_FALSE(vocabulary);
  EXPECT_EQ(vocabulary.error().message, "the model has 1048577 tokens: only 1048576 are read");
}

TEST(TokenizerJson, NamesWhatIsWrong) {
  const auto changed = [](const char* pointer, const json& value, json tokenizer = ByteLevel()) {
    tokenizer[json::json_pointer(pointer)] = value;
    return WhyNot(tokenizer);
  };
  EXPECT_EQ(WhyNot(json::array()), "there is no model");
  EXPECT_EQ(changed("/model", nullptr), "there is no model");
  EXPECT_EQ(changed("/model/type", "Unigram"),
            "the model is of type 'Unigram': only BPE is supported");
  EXPECT_EQ(changed("/model/merges", nullptr), "the model has no list of merges");
  EXPECT_EQ(changed("/model/vocab", 7), "the model has no vocab");
  EXPECT_EQ(changed("/model/vocab/a", "7"), "the id of token \"a\" is not a number");
  EXPECT_EQ(changed("/model/vocab/a", -1),
            "token \"a\" has the id -1: there may be 1048576 tokens");
  EXPECT_EQ(changed("/model/vocab/a", int64_t{1} << 40),
            "token \"a\" has the id 1099511627776: there may be 1048576 tokens");
  EXPECT_EQ(changed("/model/vocab/he", 'b'), "tokens \"b\" and \"he\" have the same id, 98");
  EXPECT_EQ(changed("/model/merges/1", "he"), "merge 1 is no pair of tokens");
  EXPECT_EQ(changed("/model/merges/1", json::array({"h", "e", "h"})),
            "merge 1 is no pair of tokens");
  EXPECT_EQ(changed("/model/merges/1", json::array({"h", 1})), "merge 1 is no pair of tokens");
  EXPECT_EQ(changed("/added_tokens/0/id", nullptr), "an added token has no id or no content");
  EXPECT_EQ(changed("/added_tokens/0", 5), "an added token has no id or no content");
  const std::string long_token = "/model/vocab/" + std::string(513, 'a');
  EXPECT_EQ(changed(long_token.c_str(), 265, Pieces()),
            "token \"" + std::string(40, 'a') + "...\" has 513 bytes: only 512 are read");
  EXPECT_EQ(changed("/model/merges/1", "e h", Pieces()), "merge 1 makes \"eh\", which is no token");
  EXPECT_EQ(changed("/model/merges", {"▁ ▁", "h e"}, Pieces()),
            "the model has 2 merges, but 3 pairs of its tokens are tokens: scores can't say that");
  json later = Pieces();
  later["model"]["vocab"]["▁he"] = 265;
  later["model"]["merges"] = {"▁h e", "h e", "▁ he", "▁ h", "▁ ▁"};
  EXPECT_THAT(WhyNot(later),
              testing::AllOf(HasSubstr("merge 2 makes"), HasSubstr("which others make earlier")));
  later["model"]["merges"] = {"▁h e", "▁ he", "h e", "▁ h", "▁ ▁"};
  EXPECT_EQ(WhyNot(later), "accepted");
  EXPECT_EQ(changed("/model/byte_fallback", false, Pieces()),
            "the model is neither byte-level nor has it byte fallback");
}

}  // namespace
}  // namespace bitfetch
