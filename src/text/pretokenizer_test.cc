// SPDX-License-Identifier: Apache-2.0
#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/test_effort.h"
#include "text/test_patterns.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace bitfetch {
namespace {

using Words = std::vector<std::string>;

Words Split(const std::string& name, const std::string& text) {
  static std::map<std::string, Result<Pretokenizer>> made;
  auto found = made.find(name);
  if (found == made.end()) found = made.emplace(name, Pretokenizer::Create(name)).first;
  EXPECT_TRUE(found->second) << found->second.error().message;
  std::vector<std::string_view> words;
  const Status status = found->second->Split(text, &words);
  EXPECT_TRUE(status) << status.error().message;
  return Words(words.begin(), words.end());
}

// As the original has it, like those of test_patterns.h.
constexpr char kGpt2[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Over characters whose kind PCRE2 knows.
void CompareWithTheOriginal(const std::string& name, const char* pattern) {
  int error = 0;
  size_t offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern), PCRE2_ZERO_TERMINATED,
                    PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr);
  ASSERT_TRUE(code);
  pcre2_match_data* match = pcre2_match_data_create(1, nullptr);
  const Words pieces = {" ",      "  ", "\t", "\n",  "\r\n",   "\r",     "\v",     "a",
                        "Zeb",    "'",  "'s", "'LL", "'rE",    "7",      "12",     "!",
                        "?!",     "_",  "é",  "漢",  "\u00a0", "\u0085", "\u2028", "\u3000",
                        "\u0301", "😀",  "٣",  "½",   "\u017f", "\u200b"};
  std::mt19937 random(11);
  for (int round = 0; round < Rounds(5000); ++round) {
    std::string text;
    for (uint32_t n = random() % 16; n > 0; --n) text += pieces[random() % pieces.size()];
    Words expected;
    for (size_t at = 0; at < text.size();) {
      ASSERT_GT(pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, 0,
                            match, nullptr),
                0);
      const size_t end = pcre2_get_ovector_pointer(match)[1];
      expected.push_back(text.substr(at, end - at));
      at = end;
    }
    ASSERT_EQ(Split(name, text), expected) << testing::PrintToString(text);
  }
  pcre2_match_data_free(match);
  pcre2_code_free(code);
}

TEST(Pretokenizer, Llama3SplitsAsTheOriginalPattern) {
  CompareWithTheOriginal("llama-bpe", kLlama3Pattern);
}
TEST(Pretokenizer, Qwen2SplitsAsTheOriginalPattern) {
  CompareWithTheOriginal("qwen2", kQwen2Pattern);
}
TEST(Pretokenizer, Gpt2SplitsAsTheOriginalPattern) { CompareWithTheOriginal("gpt-2", kGpt2); }

TEST(Pretokenizer, OtherNamesOfThePatterns) {
  for (const char* name : {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon_e", "falcon-h1",
                           "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "smaug-bpe", "dbrx"}) {
    EXPECT_EQ(Split(name, "I'M 12345"), (Words{"I", "'M", " ", "123", "45"})) << name;
    const bool merges_first = std::string(name) == "smaug-bpe" || std::string(name) == "dbrx";
    EXPECT_EQ(Pretokenizer::Create(name)->whole_words_first(), !merges_first) << name;
    EXPECT_FALSE(Pretokenizer::Create(name)->normal_form()) << name;
  }
  for (const char* name : {"qwen2", "deepseek-r1-qwen", "megrez", "f2llmv2"}) {
    EXPECT_EQ(Split(name, "I'M 123"), (Words{"I", "'M", " ", "1", "2", "3"})) << name;
    EXPECT_FALSE(Pretokenizer::Create(name)->whole_words_first()) << name;
    EXPECT_TRUE(Pretokenizer::Create(name)->normal_form()) << name;
  }
  for (const char* name : {"gpt-2", "phi-2", "olmo", "mpt", "jais", "trillion", "exaone4",
                           "gigachat", "a.x-4.0", "mellum", "modern-bert", "granite-docling",
                           "jina-es", "jina-de", "jina-v2-es", "jina-v2-de"}) {
    EXPECT_EQ(Split(name, "I'M 12345"), (Words{"I", "'", "M", " 12345"})) << name;
    EXPECT_FALSE(Pretokenizer::Create(name)->whole_words_first()) << name;
    const bool gpt_neox = std::string(name) == "olmo" || std::string(name) == "mpt";
    EXPECT_EQ(Pretokenizer::Create(name)->normal_form(), gpt_neox) << name;
  }
}

TEST(Pretokenizer, UnicodeSpaces) {
  // Each is a space, so that the last of two goes with the letter.
  for (const char* space :
       {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x8a", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"}) {
    const std::string s = space;
    const std::string last = s + "x";
    EXPECT_EQ(Split("llama-bpe", fmt::format("!{}{}", s, last)), (Words{"!", s, last}))
        << testing::PrintToString(s);
    EXPECT_EQ(Split("gpt-2", fmt::format("!{}", last)), (Words{"!", s, "x"}))
        << testing::PrintToString(s);
  }
  // U+180E, U+200B, U+2060 and U+FEFF are not.
  for (const char* other : {"\xe1\xa0\x8e", "\xe2\x80\x8b", "\xe2\x81\xa0", "\xef\xbb\xbf"}) {
    const std::string word = fmt::format("!{0}{0}", other);
    EXPECT_EQ(Split("llama-bpe", word + "1"), (Words{word, "1"})) << testing::PrintToString(word);
  }
}

TEST(Pretokenizer, LettersAndNumbersOfAllScripts) {
  EXPECT_EQ(Split("llama-bpe", "привет мир"), (Words{"привет", " мир"}));
  EXPECT_EQ(Split("llama-bpe", "漢字1234かな"), (Words{"漢字", "123", "4", "かな"}));
  EXPECT_EQ(Split("llama-bpe", "١٢٣٤"), (Words{"١٢٣", "٤"}));
  EXPECT_EQ(Split("llama-bpe", "½②"), (Words{"½②"}));
  // A combining mark is no letter: it begins a word.
  EXPECT_EQ(Split("llama-bpe", "ne\u0301e"), (Words{"ne", "\u0301e"}));
  EXPECT_EQ(Split("llama-bpe", "x'\u017fx"), (Words{"x", "'\u017f", "x"}));
}

TEST(Pretokenizer, LettersAndNumbersNewerThanUnicode14) {
  EXPECT_EQ(Split("llama-bpe", "a\U00031350\U000105c0\U0001e4d0"),
            (Words{"a\U00031350\U000105c0\U0001e4d0"}));
  EXPECT_EQ(Split("llama-bpe", "\U0001e4f0\U00010d40\u0031\u0032"),
            (Words{"\U0001e4f0\U00010d40\u0031", "2"}));
  EXPECT_EQ(Split("gpt-2", "!\U0001e4f0"), (Words{"!", "\U0001e4f0"}));
}

// Whatever is repeated, the words are the whole text, and nothing is too long for the pattern.
TEST(Pretokenizer, LongRuns) {
  for (const char* name : {"llama-bpe", "qwen2", "gpt-2"}) {
    for (const char* piece :
         {" ", "\n", " \n", "\r\n \t", "a", "é", "1", "!", "\u3000", "😀", "'s"}) {
      std::string text;
      while (text.size() < 1'000'000) text += piece;
      for (const char* end : {"", "x", "!"}) {
        std::string all;
        for (const std::string& word : Split(name, text + end)) {
          ASSERT_FALSE(word.empty());
          all += word;
        }
        ASSERT_TRUE(all == text + end) << name << " " << testing::PrintToString(piece);
      }
    }
  }
}

TEST(Pretokenizer, NamesWhatItDoesNotSupport) {
  const Result<Pretokenizer> pretokenizer = Pretokenizer::Create("tekken");
  ASSERT_FALSE(pretokenizer);
  EXPECT_EQ(
      pretokenizer.error().message,
      "pre-tokenizer 'tekken' is not supported: only llama-bpe, qwen2, gpt-2 and other names of "
      "the same patterns are");
}

}  // namespace
}  // namespace bitfetch
