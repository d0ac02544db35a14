// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "text/test_vocabulary.h"
#include "text/utf8.h"

namespace bitfetch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tokenizer Make(Vocabulary vocabulary) {
  Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(vocabulary));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *std::move(tokenizer);
}

std::string WhyNot(Vocabulary vocabulary) {
  const Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(vocabulary));
  return tokenizer ? "" : tokenizer.error().message;
}

std::vector<int> Encode(const Tokenizer& tokenizer, const std::string& text) {
  const Result<std::vector<int>> ids = tokenizer.Encode(text, /*add_bos=*/false);
  EXPECT_TRUE(ids) << ids.error().message;
  return *ids;
}

constexpr int kSpaceT = 256, kHe = 257, kSpaceThe = 258, kIn = 259, kIng = 260, kBos = 261,
              kEos = 262;

TEST(Tokenizer, Merges) {
  const Tokenizer tokenizer = Make(TestVocabulary());
  EXPECT_THAT(Encode(tokenizer, ""), ElementsAre());
  EXPECT_THAT(Encode(tokenizer, "the thing"), ElementsAre('t', kHe, kSpaceT, 'h', kIng));
  EXPECT_THAT(Encode(tokenizer, " the in"), ElementsAre(kSpaceThe, ' ', kIn));
  EXPECT_THAT(Encode(tokenizer, "é"), ElementsAre(0xc3, 0xa9));
}

TEST(Tokenizer, BosOnlyWhenAskedForAndThere) {
  Tokenizer tokenizer = Make(TestVocabulary());
  EXPECT_EQ(tokenizer.Encode("x", true), (std::vector<int>{kBos, 'x'}));
  EXPECT_EQ(tokenizer.Encode("", true), std::vector<int>{kBos});
  Vocabulary without = TestVocabulary();
  without.bos = -1;
  tokenizer = Make(std::move(without));
  EXPECT_EQ(tokenizer.Encode("x", true), std::vector<int>{'x'});
}

TEST(Tokenizer, TakesAWholeWordBeforeMergesWhereTheOriginalDoes) {
  Vocabulary vocabulary = TestVocabulary();
  const int zoo = AddToken("zoo", kNormalToken, &vocabulary);  // no merge leads there
  EXPECT_THAT(Encode(Make(vocabulary), "zoo"), ElementsAre(zoo));
  vocabulary.pre = "gpt-2";
  EXPECT_THAT(Encode(Make(vocabulary), "zoo"), ElementsAre('z', 'o', 'o'));
}

TEST(Tokenizer, TextIsNeverReadAsTokensOutsideOfTheAlphabet) {
  Vocabulary vocabulary = TestVocabulary();
  const auto before = Encode(Make(vocabulary), "the in");
  for (const char* token : {" ", " in", "\xc4 in", "\xc1\xa1"}) {
    vocabulary.tokens.insert(vocabulary.tokens.begin(), token);
    vocabulary.types.insert(vocabulary.types.begin(), kNormalToken);
  }
  vocabulary.bos += 4;
  vocabulary.eos += 4;
  std::vector<int> after = Encode(Make(vocabulary), "the in");
  for (int& id : after) id -= 4;
  EXPECT_EQ(after, before);
  EXPECT_EQ(Make(vocabulary).TokenBytes(1), "\xc4 in");  // the second of the four, from the front
}

TEST(Tokenizer, TextIsNeverReadAsControlTokens) {
  const Tokenizer tokenizer = Make(TestVocabulary());
  for (const std::string text :
       {"<|eot_id|>", "a<|begin_of_text|>b", "<|eot_id", "<|end_of_text|>"}) {
    const std::vector<int> ids = Encode(tokenizer, text);
    for (const int id : ids) EXPECT_LT(id, kBos);
    EXPECT_EQ(tokenizer.Decode(ids), text);
  }
}

TEST(Tokenizer, UserDefinedTokensAreTextTheLongestOfTheLeftmost) {
  Vocabulary vocabulary = TestVocabulary();
  const int ab = AddToken("ab", kUserDefinedToken, &vocabulary);
  const int abc = AddToken("abc", kUserDefinedToken, &vocabulary);
  const int bcd = AddToken("bcd", kUserDefinedToken, &vocabulary);
  const int spaces = AddToken("   ", kUserDefinedToken, &vocabulary);
  const Tokenizer tokenizer = Make(std::move(vocabulary));
  EXPECT_THAT(Encode(tokenizer, "abcd"), ElementsAre(abc, 'd'));
  EXPECT_THAT(Encode(tokenizer, "xabd the"), ElementsAre('x', ab, 'd', kSpaceThe));
  EXPECT_THAT(Encode(tokenizer, "bcdab"), ElementsAre(bcd, ab));
  EXPECT_THAT(Encode(tokenizer, "     t"), ElementsAre(spaces, ' ', kSpaceT));
  EXPECT_EQ(tokenizer.TokenBytes(spaces), "   ");
  EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, "xabd the   ")), "xabd the   ");
}

TEST(Tokenizer, DecodingEncodedTextGivesTheText) {
  const Tokenizer tokenizer = Make(TestVocabulary());
  const std::vector<std::string> pieces = {
      " ",  "\n",      "the", " the", "ing", "é", "漢", "😀", "\u0301", "1", std::string(1, '\0'),
      "'s", "\xc2\x85"};
  std::mt19937 random(5);
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (uint32_t n = random() % 20; n > 0; --n) text += pieces[random() % pieces.size()];
    ASSERT_EQ(tokenizer.Decode(Encode(tokenizer, text)), text);
  }
}

TEST(Tokenizer, BrokenUtf8BecomesReplacementCharactersAndIsCounted) {
  const Tokenizer tokenizer = Make(TestVocabulary());
  size_t replaced = 0;
  const Result<std::vector<int>> ids = tokenizer.Encode("a\xff\xe2\x82z", false, &replaced);
  ASSERT_TRUE(ids);
  EXPECT_EQ(replaced, 2u);
  EXPECT_EQ(tokenizer.Decode(*ids), "a\xef\xbf\xbd\xef\xbf\xbdz");
}

TEST(Tokenizer, DecodesToBytes) {
  Vocabulary vocabulary = TestVocabulary();
  const int unused = AddToken("[PAD]", kUnusedToken, &vocabulary);
  const int unknown = AddToken("<unk>", kUnknownToken, &vocabulary);
  const int plain = AddToken("漢字 ok", kNormalToken, &vocabulary);  // not in the byte alphabet
  const Tokenizer tokenizer = Make(std::move(vocabulary));
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(tokenizer.TokenBytes(byte), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(tokenizer.TokenBytes(kSpaceThe), " the");
  EXPECT_EQ(tokenizer.TokenBytes(plain), "漢字 ok");
  EXPECT_EQ(tokenizer.Decode(std::vector<int>{kBos, 'a', unused, unknown, 0xff, kEos}), "a\xff");
}

TEST(Tokenizer, DecodeNamesAnIdThatIsOutOfRange) {
  const Tokenizer tokenizer = Make(TestVocabulary());
  for (const int id : {-1, tokenizer.size(), std::numeric_limits<int>::max()}) {
    const Result<std::string> text = tokenizer.Decode(std::vector<int>{'a', id});
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().message,
              "token " + std::to_string(id) + " is out of range: the vocabulary has 266 tokens");
  }
}

TEST(Tokenizer, ControlAndStopTokens) {
  Vocabulary vocabulary = TestVocabulary();
  const int im_end = AddToken("<|im_end|>", kControlToken, &vocabulary);
  AddToken("<|endoftext|>", kUserDefinedToken, &vocabulary);  // text, so it stops nothing
  const Tokenizer tokenizer = Make(std::move(vocabulary));
  EXPECT_EQ(tokenizer.ControlToken("<|eot_id|>"), 265);
  EXPECT_EQ(tokenizer.ControlToken("<|eot|>"), std::nullopt);
  EXPECT_EQ(tokenizer.ControlToken("he"), std::nullopt);
  EXPECT_THAT(tokenizer.StopTokens(), ElementsAre(kEos, 265, im_end));
}

TEST(Tokenizer, ManyThreadsAtOnce) {
  const Tokenizer tokenizer = Make(TestVocabulary());
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "the thing " + std::to_string(i) + " 漢字\n  ";
  const std::vector<int> expected = Encode(tokenizer, text);
  std::vector<std::vector<int>> results(4);
  std::vector<std::thread> threads;
  threads.reserve(results.size());
  for (std::vector<int>& result : results) {
    threads.emplace_back([&] { result = *tokenizer.Encode(text, false); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<int>& result : results) EXPECT_EQ(result, expected);
}

TEST(Tokenizer, NamesWhatIsWrongWithAVocabulary) {
  EXPECT_EQ(WhyNot({}), "the vocabulary is empty");

  Vocabulary bad = TestVocabulary();
  bad.merges[3] = "in";
  EXPECT_EQ(WhyNot(bad), "merge 3 has no space: \"in\"");
  bad.merges[3] = "";
  EXPECT_EQ(WhyNot(bad), "merge 3 has no space: \"\"");
  bad.merges[3] = "xyz n";
  EXPECT_EQ(WhyNot(bad), "merge 3 (\"xyz n\"): its left part is not a token");
  bad.merges[3] = "i xyz";
  EXPECT_EQ(WhyNot(bad), "merge 3 (\"i xyz\"): its right part is not a token");
  bad.merges[3] = "i n g";
  EXPECT_EQ(WhyNot(bad), "merge 3 (\"i n g\"): its right part is not a token");
  bad.merges[3] = "n i";
  EXPECT_EQ(WhyNot(bad), "merge 3 (\"n i\"): its result is not a token");
  bad.merges[3] = "i \n\x1b[31m";
  EXPECT_THAT(WhyNot(bad), testing::AllOf(HasSubstr("merge 3"), testing::Not(HasSubstr("\n")),
                                          testing::Not(HasSubstr("\x1b"))));

  bad = TestVocabulary();
  bad.tokens[260] = "he";
  EXPECT_EQ(WhyNot(bad), "tokens 257 and 260 are both \"he\"");

  bad = TestVocabulary();
  bad.tokens[0xab] = "something";
  EXPECT_EQ(WhyNot(bad), "the vocabulary has no token for byte 0xab");
  bad = TestVocabulary();
  bad.types['A'] = kControlToken;
  EXPECT_EQ(WhyNot(bad), "the vocabulary has no token for byte 0x41");

  for (const int id : {-2, 266, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    bad = TestVocabulary();
    bad.bos = id;
    EXPECT_EQ(WhyNot(bad), "BOS token " + std::to_string(id) +
                               " is out of range: the vocabulary has 266 tokens");
    bad = TestVocabulary();
    bad.eos = id;
    EXPECT_EQ(WhyNot(bad), "EOS token " + std::to_string(id) +
                               " is out of range: the vocabulary has 266 tokens");
  }

  bad = TestVocabulary();
  bad.types.pop_back();
  EXPECT_EQ(WhyNot(bad), "the vocabulary has 266 tokens but 265 token types");
  bad = TestVocabulary();
  bad.types[7] = 9;
  EXPECT_EQ(WhyNot(bad), "token 7 has type 9, which is not known");
  bad = TestVocabulary();
  bad.pre = "";
  EXPECT_THAT(WhyNot(bad), HasSubstr("pre-tokenizer '' is not supported"));
  bad = TestVocabulary();
  AddToken("", kUserDefinedToken, &bad);
  EXPECT_EQ(WhyNot(bad), "user-defined token 266 is empty");
  bad.tokens.back() = "\x82";  // would cut a character in two
  EXPECT_EQ(WhyNot(bad), "user-defined token 266 is not UTF-8");
}

}  // namespace
}  // namespace bitfetch
