// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/utf8.h"
#include "text/test_tokenizer.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int> Encode(const Tokenizer& tokenizer, const std::string& text) {
  const Result<std::vector<int>> ids = tokenizer.Encode(text, /*add_bos=*/false);
  EXPECT_TRUE(ids) << ids.error().message;
  return *ids;
}

constexpr int kSpaceT = 256, kHe = 257, kSpaceThe = 258, kIn = 259, kIng = 260, kBos = 261,
              kEos = 262, kEot = 265;

TEST(Tokenizer, Merges) {
  const Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
  EXPECT_THAT(Encode(tokenizer, ""), ElementsAre());
  EXPECT_THAT(Encode(tokenizer, "the thing"), ElementsAre('t', kHe, kSpaceT, 'h', kIng));
  EXPECT_THAT(Encode(tokenizer, " the in"), ElementsAre(kSpaceThe, ' ', kIn));
  EXPECT_THAT(Encode(tokenizer, "é"), ElementsAre(0xc3, 0xa9));
}

TEST(Tokenizer, BosOnlyWhenAskedForAndThere) {
  Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
  EXPECT_EQ(tokenizer.Encode("x", true), (std::vector<int>{kBos, 'x'}));
  EXPECT_EQ(tokenizer.Encode("", true), std::vector<int>{kBos});
  Vocabulary without = TestVocabulary();
  without.bos = -1;
  tokenizer = MakeTokenizer(std::move(without));
  EXPECT_EQ(tokenizer.Encode("x", true), std::vector<int>{'x'});
}

TEST(Tokenizer, AWholeTextEndsInOneEosWhereTheFileAsksForIt) {
  const auto ended = [](const Vocabulary& vocabulary, std::vector<int> ids) {
    MakeTokenizer(vocabulary).EndText(&ids);
    return ids;
  };
  Vocabulary vocabulary = TestVocabulary();
  EXPECT_THAT(ended(vocabulary, {'x'}), ElementsAre('x'));
  vocabulary.add_eos = true;
  EXPECT_THAT(ended(vocabulary, {'x'}), ElementsAre('x', kEos));
  EXPECT_THAT(ended(vocabulary, {'x', kEos}), ElementsAre('x', kEos));
  EXPECT_THAT(ended(vocabulary, {}), ElementsAre(kEos));
  EXPECT_EQ(MakeTokenizer(vocabulary).Encode("x", true), (std::vector<int>{kBos, 'x'}));
  vocabulary.eos = -1;
  EXPECT_THAT(ended(vocabulary, {'x'}), ElementsAre('x'));
}

TEST(Tokenizer, TakesAWholeWordBeforeMergesWhereTheOriginalDoes) {
  Vocabulary vocabulary = TestVocabulary();
  const int zoo = AddToken("zoo", kNormalToken, &vocabulary);  // no merge leads there
  EXPECT_THAT(Encode(MakeTokenizer(vocabulary), "zoo"), ElementsAre(zoo));
  vocabulary.pre = "gpt-2";
  EXPECT_THAT(Encode(MakeTokenizer(vocabulary), "zoo"), ElementsAre('z', 'o', 'o'));
}

TEST(Tokenizer, TextIsNeverReadAsTokensOutsideOfTheAlphabet) {
  Vocabulary vocabulary = TestVocabulary();
  const auto before = Encode(MakeTokenizer(vocabulary), "the in");
  for (const char* token : {" ", " in", "\xc4 in", "\xc1\xa1"}) {
    vocabulary.tokens.insert(vocabulary.tokens.begin(), token);
    vocabulary.types.insert(vocabulary.types.begin(), kNormalToken);
  }
  vocabulary.bos += 4;
  vocabulary.eos += 4;
  std::vector<int> after = Encode(MakeTokenizer(vocabulary), "the in");
  for (int& id : after) id -= 4;
  EXPECT_EQ(after, before);
  EXPECT_EQ(MakeTokenizer(vocabulary).TokenBytes(1),
            "\xc4 in");  // the second of the four, from the front
}

TEST(Tokenizer, TextIsNeverReadAsControlTokens) {
  const Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
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
  const Tokenizer tokenizer = MakeTokenizer(std::move(vocabulary));
  EXPECT_THAT(Encode(tokenizer, "abcd"), ElementsAre(abc, 'd'));
  EXPECT_THAT(Encode(tokenizer, "xabd the"), ElementsAre('x', ab, 'd', kSpaceThe));
  EXPECT_THAT(Encode(tokenizer, "bcdab"), ElementsAre(bcd, ab));
  EXPECT_THAT(Encode(tokenizer, "     t"), ElementsAre(spaces, ' ', kSpaceT));
  EXPECT_EQ(tokenizer.TokenBytes(spaces), "   ");
  EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, "xabd the   ")), "xabd the   ");
}

TEST(Tokenizer, DecodingEncodedTextGivesTheText) {
  const Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
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

TEST(Tokenizer, NormalFormOfWhatLiesBetweenMarkersWhereThePretokenizerHasIt) {
  Vocabulary vocabulary = TestVocabulary();
  const int equal = AddToken("==", kUserDefinedToken, &vocabulary);
  EXPECT_THAT(Encode(MakeTokenizer(vocabulary), "e\u0301"), ElementsAre('e', 0xcc, 0x81));
  vocabulary.pre = "qwen2";
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  EXPECT_THAT(Encode(tokenizer, "e\u0301"), ElementsAre(0xc3, 0xa9));
  EXPECT_THAT(Encode(tokenizer, "==\u0338"), ElementsAre(equal, 0xcc, 0xb8)) << "not =≠";
  EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, "xe\u0301==12")), "xé==12");
}

TEST(Tokenizer, BrokenUtf8BecomesReplacementCharactersAndIsCounted) {
  const Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
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
  const Tokenizer tokenizer = MakeTokenizer(std::move(vocabulary));
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(tokenizer.TokenBytes(byte), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(tokenizer.TokenBytes(kSpaceThe), " the");
  EXPECT_EQ(tokenizer.TokenBytes(plain), "漢字 ok");
  EXPECT_EQ(tokenizer.Decode(std::vector<int>{kBos, 'a', unused, unknown, 0xff, kEos}), "a\xff");
}

TEST(Tokenizer, DecodeNamesAnIdThatIsOutOfRange) {
  const Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
  for (const int id : {-1, tokenizer.size(), std::numeric_limits<int>::max()}) {
    const Result<std::string> text = tokenizer.Decode(std::vector<int>{'a', id});
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().message,
              "token " + std::to_string(id) + " is out of range: the vocabulary has 266 tokens");
  }
}

TEST(Tokenizer, ControlTokens) {
  const Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
  EXPECT_EQ(tokenizer.ControlToken("<|eot_id|>"), kEot);
  EXPECT_EQ(tokenizer.ControlToken("<|eot|>"), std::nullopt);
  EXPECT_EQ(tokenizer.ControlToken("he"), std::nullopt);
  EXPECT_THAT(tokenizer.StopTokens(), ElementsAre(kEos, kEot));
}

constexpr TokenType kAllTypes[] = {kUndefinedToken,   kNormalToken, kUnknownToken, kControlToken,
                                   kUserDefinedToken, kUnusedToken, kByteToken};

TEST(Tokenizer, ATurnEndsAtTheseNamesWhateverTheirType) {
  for (const TokenType type : kAllTypes) {
    for (const char* name : {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>",
                             "<|endoftext|>", "<|end|>", "<end_of_turn>"}) {
      Vocabulary vocabulary = TestVocabulary();
      vocabulary.tokens[kEot] = vocabulary.tokens[kEos] = "";
      vocabulary.eos = -1;
      const int id = AddToken(name, type, &vocabulary);
      const Tokenizer tokenizer = MakeTokenizer(vocabulary);
      EXPECT_THAT(tokenizer.StopTokens(), ElementsAre(id)) << name << " " << type;
      EXPECT_EQ(tokenizer.ControlToken(name), id);
      EXPECT_EQ(tokenizer.TokenBytes(id), "");
      const std::string text = fmt::format("a{}b", name);
      const std::vector<int> typed = Encode(tokenizer, text);
      EXPECT_THAT(typed, testing::Not(testing::Contains(id))) << name << " " << type;
      EXPECT_EQ(tokenizer.Decode(typed), text);
      EXPECT_THAT(*tokenizer.Encode(text, false, nullptr, /*special=*/true),
                  ElementsAre('a', id, 'b'));
    }
  }
}

TEST(Tokenizer, TheMarksOfThoughtsAreWrittenWhateverTheirType) {
  for (const TokenType type : {kControlToken, kUserDefinedToken}) {
    Vocabulary vocabulary = TestVocabulary();
    const int begin = AddToken("<think>", type, &vocabulary);
    const int end = AddToken("</think>", type, &vocabulary);
    const Tokenizer tokenizer = MakeTokenizer(vocabulary);
    EXPECT_EQ(*tokenizer.Decode(std::vector<int>{begin, 'a', end}), "<think>a</think>");
    // What somebody types stays text where the file has it so.
    const std::vector<int> typed = Encode(tokenizer, "</think>");
    if (type == kControlToken) {
      EXPECT_THAT(typed, testing::Not(testing::Contains(end)));
    } else {
      EXPECT_THAT(typed, ElementsAre(end));
    }
  }
}

TEST(Tokenizer, ATurnEndsWhereKeysSay) {
  Vocabulary vocabulary = TestVocabulary();
  vocabulary.eot = AddToken("STOP", kUserDefinedToken, &vocabulary);
  vocabulary.eom = AddToken("</msg>", kNormalToken, &vocabulary);
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  EXPECT_THAT(tokenizer.StopTokens(), ElementsAre(kEos, kEot, vocabulary.eot, vocabulary.eom));
  EXPECT_THAT(Encode(tokenizer, "STOP"), ElementsAre('S', 'T', 'O', 'P'));
  EXPECT_EQ(tokenizer.Encode("</msg>STOP", false, nullptr, true),
            (std::vector<int>{vocabulary.eom, vocabulary.eot}));
}

TEST(Tokenizer, AWordStaysTextThoughAKeySaysThatItEnds) {
  Vocabulary vocabulary = TestVocabulary();
  vocabulary.eos = kIng;
  vocabulary.eot = '\n';
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  EXPECT_THAT(tokenizer.StopTokens(), ElementsAre('\n', kIng, kEos, kEot));
  EXPECT_THAT(Encode(tokenizer, "ing\n"), ElementsAre(kIng, '\n'));
  EXPECT_EQ(tokenizer.TokenBytes(kIng), "ing");
}

TEST(Tokenizer, AWordOfPunctuationIsNoMarker) {
  Vocabulary vocabulary = TestVocabulary();
  const int word = AddToken(">>><<", kNormalToken, &vocabulary);
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  EXPECT_THAT(Encode(tokenizer, ">>><<"), ElementsAre(word));
  EXPECT_EQ(tokenizer.TokenBytes(word), ">>><<");
}

TEST(Tokenizer, MergesNeverMakeAControlToken) {
  Vocabulary vocabulary = TestVocabulary();
  vocabulary.merges.insert(vocabulary.merges.begin(), {"< |", "<| |", "<|| >", "<||> x"});
  for (const char* token : {"<|", "<||", "<||>"}) AddToken(token, kNormalToken, &vocabulary);
  vocabulary.eot = AddToken("<||>x", kNormalToken, &vocabulary);
  vocabulary.types.back() = kControlToken;
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  EXPECT_THAT(Encode(tokenizer, "<||>x"), testing::Not(testing::Contains(vocabulary.eot)));
}

TEST(Tokenizer, ReadsControlTokensInATextWhenAsked) {
  Vocabulary vocabulary = TestVocabulary();
  const int longer = AddToken("<|eot_id|>!", kUserDefinedToken, &vocabulary);
  const int unknown = AddToken("<unk>", kUnknownToken, &vocabulary);
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  const auto encode = [&](const std::string& text, bool add_bos = false) {
    return *tokenizer.Encode(text, add_bos, nullptr, /*special=*/true);
  };
  EXPECT_THAT(encode("a<|eot_id|> the<unk>"), ElementsAre('a', kEot, kSpaceThe, unknown));
  EXPECT_THAT(encode("<|eot_id|>!<|eot_id|>"), ElementsAre(longer, kEot));
  EXPECT_THAT(encode("<|eot_id"), testing::Not(testing::Contains(kEot)));
  EXPECT_THAT(encode(""), ElementsAre());
  EXPECT_THAT(encode("", true), ElementsAre(kBos));
  EXPECT_THAT(encode("x", true), ElementsAre(kBos, 'x'));
  EXPECT_THAT(encode("<|begin_of_text|>x", true), ElementsAre(kBos, 'x'));
  EXPECT_THAT(encode("<|begin_of_text|>x"), ElementsAre(kBos, 'x'));
}

TEST(Tokenizer, OfEqualTokensTheFirstIsReadAndTheOthersOnlyWritten) {
  Vocabulary vocabulary = TestVocabulary();
  const std::vector<int> before = Encode(MakeTokenizer(vocabulary), "the thing");
  const int normal = AddToken("he", kNormalToken, &vocabulary);
  const int user = AddToken("he", kUserDefinedToken, &vocabulary);
  const int first = AddToken("xyz", kUserDefinedToken, &vocabulary);
  const int second = AddToken("xyz", kUserDefinedToken, &vocabulary);
  const int eot = AddToken("<|eot_id|>", kControlToken, &vocabulary);
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  EXPECT_EQ(Encode(tokenizer, "the thing"), before);
  EXPECT_THAT(Encode(tokenizer, "xyz"), ElementsAre(first));
  for (const int id : {normal, user}) EXPECT_EQ(tokenizer.TokenBytes(id), "he");
  EXPECT_EQ(tokenizer.TokenBytes(second), "xyz");
  EXPECT_EQ(tokenizer.ControlToken("<|eot_id|>"), kEot);
  EXPECT_THAT(tokenizer.StopTokens(), ElementsAre(kEos, kEot, eot));
}

TEST(Tokenizer, EmptyTokensArePadding) {
  Vocabulary vocabulary = TestVocabulary();
  for (const TokenType type : kAllTypes) AddToken("", type, &vocabulary);
  const Tokenizer tokenizer = MakeTokenizer(vocabulary);
  EXPECT_THAT(Encode(tokenizer, "the"), ElementsAre('t', kHe));
  for (int id = kEot + 1; id < tokenizer.size(); ++id) EXPECT_EQ(tokenizer.TokenBytes(id), "");
  EXPECT_EQ(tokenizer.Encode("x", false, nullptr, true), std::vector<int>{'x'});
}

TEST(Tokenizer, ManyThreadsAtOnce) {
  const Tokenizer tokenizer = MakeTokenizer(TestVocabulary());
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
  EXPECT_EQ(WhyNoTokenizer({}), "the vocabulary is empty");

  Vocabulary bad = TestVocabulary();
  bad.merges[3] = "in";
  EXPECT_EQ(WhyNoTokenizer(bad), "merge 3 has no space: \"in\"");
  bad.merges[3] = "";
  EXPECT_EQ(WhyNoTokenizer(bad), "merge 3 has no space: \"\"");
  bad.merges[3] = "xyz n";
  EXPECT_EQ(WhyNoTokenizer(bad), "merge 3 (\"xyz n\"): its left part is not a token");
  bad.merges[3] = "i xyz";
  EXPECT_EQ(WhyNoTokenizer(bad), "merge 3 (\"i xyz\"): its right part is not a token");
  bad.merges[3] = "i n g";
  EXPECT_EQ(WhyNoTokenizer(bad), "merge 3 (\"i n g\"): its right part is not a token");
  bad.merges[3] = "n i";
  EXPECT_EQ(WhyNoTokenizer(bad), "merge 3 (\"n i\"): its result is not a token");
  bad.merges[3] = "i \n\x1b[31m";
  EXPECT_THAT(WhyNoTokenizer(bad),
              testing::AllOf(HasSubstr("merge 3"), testing::Not(HasSubstr("\n")),
                             testing::Not(HasSubstr("\x1b"))));

  bad = TestVocabulary();
  bad.tokens[0xab] = "something";
  EXPECT_EQ(WhyNoTokenizer(bad), "the vocabulary has no token for byte 0xab");
  bad = TestVocabulary();
  bad.types['A'] = kControlToken;
  EXPECT_EQ(WhyNoTokenizer(bad), "the vocabulary has no token for byte 0x41");

  for (const int id : {-2, 266, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    for (const auto& [name, member] :
         {std::pair("BOS", &Vocabulary::bos), std::pair("EOS", &Vocabulary::eos),
          std::pair("EOT", &Vocabulary::eot), std::pair("EOM", &Vocabulary::eom)}) {
      bad = TestVocabulary();
      bad.*member = id;
      EXPECT_EQ(
          WhyNoTokenizer(bad),
          fmt::format("{} token {} is out of range: the vocabulary has 266 tokens", name, id));
    }
  }

  bad = TestVocabulary();
  bad.types.pop_back();
  EXPECT_EQ(WhyNoTokenizer(bad), "the vocabulary has 266 tokens but 265 token types");
  bad = TestVocabulary();
  bad.types[7] = 9;
  EXPECT_EQ(WhyNoTokenizer(bad), "token 7 has type 9, which is not known");
  bad = TestVocabulary();
  bad.pre = "";
  EXPECT_THAT(WhyNoTokenizer(bad), HasSubstr("pre-tokenizer '' is not supported"));
  bad = TestVocabulary();
  AddToken("\x82", kUserDefinedToken, &bad);  // would cut a character in two
  EXPECT_EQ(WhyNoTokenizer(bad), "user-defined token 266 is not UTF-8");
}

}  // namespace
}  // namespace bitfetch
