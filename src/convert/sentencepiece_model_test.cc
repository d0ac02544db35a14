// SPDX-License-Identifier: Apache-2.0
#include "convert/sentencepiece_model.h"

#include <gmock/gmock.h>

#include "convert/test_sentencepiece_model.h"
#include "text/test_vocabulary.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

JsonValue Config(std::string_view text) { return *ParseJson(text); }

std::string WhyNot(std::string_view model, std::string_view config = "{}") {
  const auto vocabulary = ReadSentencePieceModel(model, Config(config));
  return vocabulary ? "" : vocabulary.error().message;
}

TEST(SentencePieceModel, IsTheVocabularyThatItWasMadeOf) {
  Vocabulary expected = TestPieces();
  AddToken("<start of turn>", kUserDefinedToken, &expected);
  expected.add_space_prefix = false;
  const auto read = ReadSentencePieceModel(SentencePieceModel(expected), {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->kind, TokenizerKind::kSentencePieceBpe);
  EXPECT_EQ(read->tokens, expected.tokens);
  EXPECT_EQ(read->types, expected.types);
  EXPECT_EQ(read->scores, expected.scores);
  EXPECT_EQ(read->unknown, 0);
  EXPECT_EQ(read->bos, 1);
  EXPECT_EQ(read->eos, 2);
  EXPECT_TRUE(read->add_bos);
  EXPECT_FALSE(read->add_eos);
  EXPECT_FALSE(read->add_space_prefix);
}

TEST(SentencePieceModel, IdsOfItsEnds) {
  const std::string pieces = SentencePieceModel(TestPieces());
  const auto ends = [&](int64_t bos, int64_t eos) {
    return pieces + ProtoBytes(2, ProtoNumber(3, 2) + ProtoNumber(41, static_cast<uint64_t>(bos)) +
                                      ProtoNumber(42, static_cast<uint64_t>(eos)));
  };
  const auto read = ReadSentencePieceModel(ends(-1, 5), {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->bos, -1);
  EXPECT_EQ(read->eos, 5);
  EXPECT_FALSE(read->add_bos);
  EXPECT_EQ(WhyNot(ends(1, 271)), "has 271 pieces, and a special one of id 271");
}

TEST(SentencePieceModel, TheConfigurationAddsTokensAndEnds) {
  const auto read = ReadSentencePieceModel(
      SentencePieceModel(TestPieces()),
      Config(R"({"add_bos_token":false,"add_eos_token":true,"added_tokens_decoder":{)"
             R"("1":{"content":"<s>","special":true},)"
             R"("272":{"content":"<think>","special":false},)"
             R"("273":{"content":"<pad>","special":true}}})"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FALSE(read->add_bos);
  EXPECT_TRUE(read->add_eos);
  ASSERT_EQ(read->tokens.size(), 274);
  EXPECT_EQ(read->tokens[271], "[PAD271]");
  EXPECT_EQ(read->types[271], kUnusedToken);
  EXPECT_EQ(read->tokens[272], "<think>");
  EXPECT_EQ(read->types[272], kUserDefinedToken);
  EXPECT_EQ(read->types[273], kControlToken);
  EXPECT_EQ(read->types[1], kControlToken);
  EXPECT_TRUE(Tokenizer::Create(*read));
}

TEST(SentencePieceModel, SaysWhatIsWrong) {
  const std::string good = SentencePieceModel(TestPieces());
  const std::string damaged = "is cut short or no SentencePiece model";
  for (const size_t size : {size_t{1}, size_t{2}, good.size() / 2, good.size() - 1}) {
    EXPECT_EQ(WhyNot(good.substr(0, size)), damaged) << size;
  }
  EXPECT_EQ(WhyNot(std::string(12, '\xff')), damaged);
  EXPECT_EQ(WhyNot("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), damaged) << "2^63 bytes";
  EXPECT_EQ(WhyNot("\x0b"), damaged) << "a group";
  EXPECT_EQ(WhyNot(""), "is of SentencePiece's unigrams: only its BPE is supported");
  EXPECT_EQ(WhyNot(good + ProtoBytes(2, ProtoNumber(3, 1))),
            "is of SentencePiece's unigrams: only its BPE is supported");
  EXPECT_EQ(WhyNot(good + ProtoBytes(3, ProtoBytes(2, "nfkc"))),
            "normalises texts, which is not supported");
  EXPECT_EQ(WhyNot(good + ProtoBytes(3, "")), "removes spaces, which is not supported");
  EXPECT_EQ(WhyNot(good + ProtoBytes(1, ProtoBytes(1, "x") + ProtoNumber(3, 7))),
            "piece 271 has type 7");
  for (const char* added : {R"({"x":{"content":"a"}})", R"({"1x":{"content":"a"}})",
                            R"({"99999999":{"content":"a"}})", R"({"300":{}})"}) {
    EXPECT_THAT(WhyNot(good, fmt::format(R"({{"added_tokens_decoder":{}}})", added)),
                ::testing::HasSubstr("has no id or no content"));
  }
}

}  // namespace
}  // namespace bitfetch
