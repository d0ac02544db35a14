// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json.h"

#include <gmock/gmock.h>

#include <utility>

#include "text/test_tokenizer_json.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

// `json` with the first `from` as `to`.
std::string Replaced(std::string json, std::string_view from, std::string_view to) {
  const size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

Result<Vocabulary> Read(const std::string& json, int64_t size, std::string_view pre = {}) {
  const auto parsed = ParseJson(json);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return ReadTokenizerJson(*parsed, {}, size, pre);
}

class TokenizerJsonTest : public ::testing::Test {
 protected:
  TokenizerJsonTest() {
    AddToken("<user>", kUserDefinedToken, &vocabulary_);
    vocabulary_.add_bos = true;
    size_ = static_cast<int64_t>(vocabulary_.tokens.size());
    json_ = TokenizerJson(vocabulary_);
  }

  std::string ErrorOf(std::string_view from, std::string_view to) const {
    const auto read = Read(Replaced(json_, from, to), size_);
    return read ? "" : read.error().message;
  }
  std::string PreOf(std::string_view from, std::string_view to) const {
    const auto read = Read(Replaced(json_, from, to), size_);
    return read ? read->pre : read.error().message;
  }

  Vocabulary vocabulary_ = TestVocabulary();
  int64_t size_;
  std::string json_;
};

TEST_F(TokenizerJsonTest, GivesTheVocabularyThatWasWritten) {
  const auto read = Read(json_, size_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->tokens, vocabulary_.tokens);
  EXPECT_EQ(read->types, vocabulary_.types);
  EXPECT_EQ(read->merges, vocabulary_.merges);
  EXPECT_EQ(read->pre, "llama-bpe");
  EXPECT_EQ(read->bos, vocabulary_.bos);
  EXPECT_TRUE(read->add_bos);
  EXPECT_EQ(read->eos, -1);
  EXPECT_FALSE(read->add_eos);
  const auto tokenizer = Tokenizer::Create(*read);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::string text = "the ing<user>";
  EXPECT_EQ(tokenizer->Encode(text, true).value(),
            Tokenizer::Create(vocabulary_)->Encode(text, true).value());
}

TEST_F(TokenizerJsonTest, MergesMayBeTexts) {
  EXPECT_EQ(Read(Replaced(json_, R"(["h","e"])", R"("h e")"), size_)->merges, vocabulary_.merges);
}

TEST_F(TokenizerJsonTest, IdsThatNoTokenHasArePadding) {
  const auto read = Read(json_, size_ + 2);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->tokens.back(), fmt::format("[PAD{}]", size_ + 1));
  EXPECT_EQ(read->types.back(), kUnusedToken);
  EXPECT_EQ(read->types[size_ - 1], kUserDefinedToken);
}

TEST_F(TokenizerJsonTest, KnowsThePreTokenizerByItsPattern) {
  EXPECT_EQ(PreOf(R"("ignore_merges":true)", R"("ignore_merges":false)"), "smaug-bpe");
  EXPECT_THAT(PreOf(R"(\\p{N}{1,3})", R"(\\p{N}{1,4})"), HasSubstr("not known"));
  const std::string whole = QuoteJson(kLlama3Pattern);
  EXPECT_THAT(PreOf(whole, R"("\\s+")"), HasSubstr(R"(pattern '\s+')"));
  std::string json = Replaced(json_, R"("ignore_merges":true)", R"("ignore_merges":false)");
  json = Replaced(json, R"("normalizer":null)", R"("normalizer":{"type":"NFC"})");
  EXPECT_EQ(Read(Replaced(json, "{1,3}", ""), size_)->pre, "qwen2");
  EXPECT_THAT(Read(json, size_).error().message, HasSubstr("normaliser 'NFC'"));
  const size_t begin = json_.find(R"({"type":"Sequence","pretokenizers")");
  const size_t end = json_.find(R"(,"post_processor")");
  json = json_;
  json.replace(begin, end - begin, R"({"type":"ByteLevel","add_prefix_space":false})");
  json = Replaced(json, R"("ignore_merges":true,)", "");
  EXPECT_EQ(Read(json, size_)->pre, "gpt-2");
}

TEST_F(TokenizerJsonTest, TheCallerMayKnowBetter) {
  const auto read = Read(Replaced(json_, "{1,3}", "{1,4}"), size_, "falcon3");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->pre, "falcon3");
}

TEST_F(TokenizerJsonTest, SaysWhatItCannotRead) {
  EXPECT_THAT(Read("{}", 1).error().message, HasSubstr("has no model"));
  EXPECT_THAT(Read("[1]", 1).error().message, HasSubstr("has no model"));
  EXPECT_THAT(ErrorOf(R"("type":"BPE")", R"("type":"Unigram")"), HasSubstr("'Unigram'"));
  EXPECT_THAT(ErrorOf(R"("type":"BPE")", R"("type":"BPE","byte_fallback":true)"),
              HasSubstr("SentencePiece"));
  EXPECT_THAT(ErrorOf(R"("ByteLevel","add_prefix_space":false)", R"("Metaspace")"),
              HasSubstr("no byte-level pre-tokenizer"));
  EXPECT_THAT(ErrorOf(R"("add_prefix_space":false)", R"("add_prefix_space":true)"),
              HasSubstr("puts a space before each text"));
  EXPECT_THAT(ErrorOf(R"("vocab":{)", R"("vocabulary":{)"), HasSubstr("has no vocab"));
  EXPECT_THAT(ErrorOf(R"("he":257)", R"("he":258)"), HasSubstr("have the same id 258"));
  EXPECT_THAT(ErrorOf(R"("he":257)", R"("he":-1)"), HasSubstr("token 'he' has no id"));
  EXPECT_THAT(ErrorOf(R"("he":257)", R"("he":99999999999)"), HasSubstr("has id 99999999999"));
  EXPECT_THAT(ErrorOf(R"({"id":262,)", R"({"id":257,)"), HasSubstr("have the same id 257"));
  EXPECT_THAT(ErrorOf(R"("content":"<user>")", R"("text":"")"), HasSubstr("without content"));
  EXPECT_THAT(ErrorOf(R"("merges":)", R"("pairs":)"), HasSubstr("has no merges"));
  EXPECT_THAT(ErrorOf(R"(["h","e"])", R"(["h"])"), HasSubstr("merge 1 is no pair"));
  EXPECT_THAT(ErrorOf(R"(["h","e"])", R"(["h","e e"])"), HasSubstr("merge 1 is no pair"));
  EXPECT_THAT(ErrorOf(R"("SpecialToken":{"id":"<|begin)", R"("SpecialToken":{"id":"<|bugin)"),
              HasSubstr("which is no token"));
  EXPECT_THAT(ErrorOf("TemplateProcessing", "RobertaProcessing"), HasSubstr("not supported"));
}

TEST_F(TokenizerJsonTest, TheConfigurationSaysWhatTheTemplateDoesNot) {
  const auto read = [&](const std::string& tokenizer, std::string_view config) {
    const auto vocabulary = ReadTokenizerJson(*ParseJson(tokenizer), *ParseJson(config), size_);
    EXPECT_TRUE(vocabulary) << vocabulary.error().message;
    return vocabulary.value_or(Vocabulary());
  };
  Vocabulary got = read(json_, R"({"bos_token": "he", "eos_token": {"content": "ing"}})");
  EXPECT_EQ(got.bos, vocabulary_.bos) << "the template's";
  EXPECT_EQ(got.eos, 260);
  EXPECT_TRUE(got.add_bos);
  got = read(json_, R"({"bos_token": null, "add_bos_token": false, "add_eos_token": true})");
  EXPECT_FALSE(got.add_bos);
  EXPECT_TRUE(got.add_eos);

  vocabulary_.add_bos = false;
  const std::string unsaid = TokenizerJson(vocabulary_);
  got = read(unsaid, R"({"bos_token": "<|begin_of_text|>"})");
  EXPECT_EQ(got.bos, vocabulary_.bos);
  EXPECT_TRUE(got.add_bos) << "as Llama-3 was trained";
  EXPECT_FALSE(read(unsaid, "{}").add_bos);
  const std::string other = Replaced(unsaid, R"("ignore_merges":true)", R"("ignore_merges":false)");
  EXPECT_FALSE(read(other, R"({"bos_token": "<|begin_of_text|>"})").add_bos);

  const auto wrong =
      ReadTokenizerJson(*ParseJson(json_), *ParseJson(R"({"eos_token": "no"})"), size_);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "the eos_token of its configuration is no token");
}

}  // namespace
}  // namespace bitfetch
