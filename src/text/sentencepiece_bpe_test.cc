// SPDX-License-Identifier: Apache-2.0
#include "text/sentencepiece_bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "text/piece_alphabet.h"
#include "text/test_tokenizer.h"
#include "text/test_vocabulary.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

std::vector<int> Encode(const Vocabulary& vocabulary, std::string_view text, bool special = false) {
  return MakeTokenizer(vocabulary).Encode(text, /*add_bos=*/false, nullptr, special).value();
}

int AddPiece(std::string_view piece, float score, Vocabulary* vocabulary) {
  const int id = AddToken(piece, kNormalToken, vocabulary);
  vocabulary->scores.back() = score;
  return id;
}

constexpr int kPieceUnknown = 0, kPieceBos = 1, kPieceEos = 2;
constexpr int kPieceSpaceT = kFirstTestPiece, kPieceHe = kPieceSpaceT + 1,
              kPieceSpaceThe = kPieceSpaceT + 2, kPieceIng = kPieceSpaceT + 4,
              kPieceSpace = kPieceSpaceT + 5, kPieceT = kPieceSpaceT + 6,
              kPieceH = kPieceSpaceT + 7, kPieceE = kPieceSpaceT + 8, kPieceI = kPieceSpaceT + 9,
              kPieceN = kPieceSpaceT + 10;

int Byte(int byte) { return 3 + byte; }

Vocabulary WithoutBytes() {
  Vocabulary vocabulary = TestPieces();
  for (int byte = 0; byte < 256; ++byte) vocabulary.types[Byte(byte)] = kUnusedToken;
  return vocabulary;
}

Vocabulary WithoutPrefix() {
  Vocabulary vocabulary = TestPieces();
  vocabulary.add_space_prefix = false;
  return vocabulary;
}

TEST(SentencePieceBpe, MergesTheHighestScoreFirst) {
  const Vocabulary vocabulary = TestPieces();
  EXPECT_THAT(Encode(vocabulary, "the thing"),
              ElementsAre(kPieceSpaceThe, kPieceSpaceT, kPieceH, kPieceIng));
  EXPECT_THAT(Encode(vocabulary, "het"), ElementsAre(kPieceSpace, kPieceHe, kPieceT));
  EXPECT_THAT(Encode(vocabulary, "  the"), ElementsAre(kPieceSpace, kPieceSpace, kPieceSpaceThe));

  Vocabulary other = WithoutPrefix();
  other.scores[kPieceHe] = -1000;  // now behind "eh"
  const int eh = AddPiece("eh", -10, &other);
  EXPECT_THAT(Encode(other, "hehe"), ElementsAre(kPieceH, eh, kPieceE));
}

TEST(SentencePieceBpe, OfEqualScoresTheLeftmost) {
  Vocabulary vocabulary = WithoutPrefix();
  const int nn = AddPiece("nn", -1, &vocabulary);
  const int ni = AddPiece("ni", -1, &vocabulary);
  EXPECT_THAT(Encode(vocabulary, "nni"), ElementsAre(nn, kPieceI));
  EXPECT_THAT(Encode(vocabulary, "nin"), ElementsAre(ni, kPieceN));
}

TEST(SentencePieceBpe, ASpaceInFrontOfATextAndBehindMarkers) {
  Vocabulary vocabulary = TestPieces();
  const int user = AddToken("<user>", kUserDefinedToken, &vocabulary);
  EXPECT_THAT(Encode(vocabulary, ""), ElementsAre());
  EXPECT_THAT(Encode(vocabulary, "the"), ElementsAre(kPieceSpaceThe));
  EXPECT_THAT(Encode(vocabulary, "the<user>the"),
              ElementsAre(kPieceSpaceThe, user, kPieceSpaceThe));
  EXPECT_THAT(Encode(vocabulary, "<user>"), ElementsAre(user));
  EXPECT_THAT(Encode(vocabulary, "</s>the", true), ElementsAre(kPieceEos, kPieceSpaceThe));
  EXPECT_EQ(MakeTokenizer(vocabulary).Encode("the", true),
            (std::vector<int>{kPieceBos, kPieceSpaceThe}));

  vocabulary.add_space_prefix = false;
  EXPECT_THAT(Encode(vocabulary, "the<user> the"),
              ElementsAre(kPieceT, kPieceHe, user, kPieceSpaceThe));
}

TEST(SentencePieceBpe, BytesOfCharactersThatAreNoPiece) {
  const Vocabulary vocabulary = WithoutPrefix();
  EXPECT_THAT(Encode(vocabulary, "hé"), ElementsAre(kPieceH, Byte(0xc3), Byte(0xa9)));
  EXPECT_THAT(Encode(vocabulary, std::string(1, '\0')), ElementsAre(Byte(0)));
  EXPECT_THAT(Encode(vocabulary, "<0x41>"), Not(Contains(Byte(0x41))));
  EXPECT_EQ(MakeTokenizer(vocabulary).TokenBytes(Byte(0xa9)), "\xa9");

  Vocabulary untyped = vocabulary;
  untyped.types.clear();
  EXPECT_THAT(Encode(untyped, "é"), ElementsAre(Byte(0xc3), Byte(0xa9))) << "known by their names";
}

TEST(SentencePieceBpe, BytesNeverMerge) {
  Vocabulary vocabulary = WithoutPrefix();
  AddPiece("<0xC3><0xA9>", 0, &vocabulary);
  AddPiece("é!", 0, &vocabulary);  // "é" is no piece, so this is never made
  EXPECT_THAT(Encode(vocabulary, "é!"), ElementsAre(Byte(0xc3), Byte(0xa9), Byte('!')));
}

TEST(SentencePieceBpe, TheUnknownTokenWhereBytesAreMissing) {
  const Vocabulary vocabulary = WithoutBytes();
  EXPECT_THAT(Encode(vocabulary, "théé?e"),
              ElementsAre(kPieceSpaceT, kPieceH, kPieceUnknown, kPieceE));
  EXPECT_EQ(MakeTokenizer(vocabulary).Decode(std::vector<int>{kPieceT, kPieceUnknown, kPieceE}),
            "te");

  Vocabulary one_missing = TestPieces();
  one_missing.types[Byte(0xa9)] = kUnusedToken;
  EXPECT_THAT(Encode(one_missing, "éè"),
              ElementsAre(kPieceSpace, kPieceUnknown, Byte(0xc3), Byte(0xa8)));
}

TEST(SentencePieceBpe, TextIsNeverReadAsControlTokens) {
  for (const TokenType type : {kControlToken, kNormalToken, kUserDefinedToken}) {
    Vocabulary vocabulary = TestPieces();
    vocabulary.types[kPieceEos] = type;  // a key names it
    for (const char* piece : {"</", "s>", "<", "/", "s", ">"}) AddPiece(piece, -1, &vocabulary);
    EXPECT_THAT(Encode(vocabulary, "x</s>"), Not(Contains(kPieceEos))) << type;
    EXPECT_EQ(MakeTokenizer(vocabulary).Decode(Encode(vocabulary, "x</s>")), "x</s>");
    EXPECT_THAT(Encode(vocabulary, "</s>", true), ElementsAre(kPieceEos)) << type;
  }
}

TEST(SentencePieceBpe, ACharacterStaysTextThoughAKeySaysThatItEnds) {
  Vocabulary vocabulary = TestPieces();
  vocabulary.eot = AddPiece("\n", -1, &vocabulary);
  vocabulary.eom = Byte('\r');
  EXPECT_THAT(Encode(vocabulary, "\n\r"), ElementsAre(kPieceSpace, vocabulary.eot, vocabulary.eom));
  EXPECT_THAT(MakeTokenizer(vocabulary).StopTokens(), Contains(vocabulary.eot));
}

TEST(SentencePieceBpe, UserDefinedTokensWithSpacesInEitherSpelling) {
  for (const char* name : {"   ", "▁▁▁"}) {
    Vocabulary vocabulary = WithoutPrefix();
    const int spaces = AddToken(name, kUserDefinedToken, &vocabulary);
    EXPECT_THAT(Encode(vocabulary, "t    t"), ElementsAre(kPieceT, spaces, kPieceSpaceT));
    EXPECT_THAT(Encode(vocabulary, "▁ ▁"), ElementsAre(spaces));
    EXPECT_EQ(MakeTokenizer(vocabulary).TokenBytes(spaces), "   ");
  }
}

TEST(SentencePieceBpe, DecodesWithoutTheFirstSpace) {
  const Tokenizer tokenizer = MakeTokenizer(TestPieces());
  EXPECT_EQ(tokenizer.TokenBytes(kPieceSpaceThe), " the");
  EXPECT_EQ(tokenizer.Decode(std::vector<int>{kPieceSpaceThe, kPieceSpaceThe}), "the the");
  EXPECT_EQ(tokenizer.Decode(std::vector<int>{kPieceBos, kPieceSpace, kPieceSpaceThe, kPieceEos}),
            " the");
  EXPECT_EQ(tokenizer.Decode(std::vector<int>{kPieceHe}), "he");
  EXPECT_EQ(MakeTokenizer(WithoutPrefix()).Decode(std::vector<int>{kPieceSpaceThe}), " the");
  for (const std::string text : {"", " ", "  the ", "thing 漢字\n", "é", " 😀"}) {
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text, true).value()), text);
  }
}

TEST(SentencePieceBpe, OfEqualPiecesTheFirstIsRead) {
  Vocabulary vocabulary = TestPieces();
  const int again = AddPiece("▁the", 5, &vocabulary);
  EXPECT_THAT(Encode(vocabulary, "the"), ElementsAre(kPieceSpaceThe));
  EXPECT_EQ(MakeTokenizer(vocabulary).TokenBytes(again), " the");
}

TEST(SentencePieceBpe, UnusedAndEmptyPiecesAreNotRead) {
  Vocabulary vocabulary = TestPieces();
  vocabulary.types[kPieceSpaceThe] = kUnusedToken;
  AddPiece("", 9, &vocabulary);
  EXPECT_THAT(Encode(vocabulary, "the"), ElementsAre(kPieceSpaceT, kPieceHe));
}

// All of a text merged at once, looking at every pair for each merge.
std::vector<int> Reference(const Vocabulary& vocabulary, std::string text) {
  text = ToPieceSpaces(text);
  const auto id_of = [&](const std::string& piece) {
    for (int id = kFirstTestPiece; id < static_cast<int>(vocabulary.tokens.size()); ++id) {
      if (vocabulary.tokens[id] == piece) return id;
    }
    return -1;
  };
  std::vector<std::string> pieces;
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(pieces.back().size())) {
    pieces.emplace_back(rest.substr(0, NextUtf8(rest).size));
  }
  while (true) {
    float best = -std::numeric_limits<float>::infinity();
    size_t where = pieces.size();
    for (size_t i = 0; i + 1 < pieces.size(); ++i) {
      const int id = id_of(pieces[i] + pieces[i + 1]);
      if (id >= 0 && vocabulary.scores[id] > best) {
        best = vocabulary.scores[id];
        where = i;
      }
    }
    if (where == pieces.size()) break;
    pieces[where] += pieces[where + 1];
    pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
  std::vector<int> ids;
  for (const std::string& piece : pieces) ids.push_back(id_of(piece));
  return ids;
}

TEST(SentencePieceBpe, RandomPiecesAsTheWholeTextMergedAtOnce) {
  std::mt19937 random(17);
  const std::vector<std::string> characters = {"a", "b", "▁", "é", "漢", "▁"};
  const auto draw = [&](uint32_t longest) {
    std::string text;
    for (uint32_t n = 1 + random() % longest; n > 0; --n) {
      text += characters[random() % characters.size()];
    }
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    Vocabulary vocabulary = WithoutPrefix();
    vocabulary.tokens.resize(kFirstTestPiece);
    vocabulary.types.resize(kFirstTestPiece);
    vocabulary.scores.resize(kFirstTestPiece);
    for (const char* character : {"a", "b", "▁", "é", "漢"}) AddPiece(character, -9, &vocabulary);
    for (int n = 0; n < 40; ++n) {
      const std::string piece = draw(4);
      if (std::ranges::find(vocabulary.tokens, piece) == vocabulary.tokens.end()) {
        AddPiece(piece, static_cast<float>(random() % 8), &vocabulary);
      }
    }
    for (int n = 0; n < 20; ++n) {
      const std::string text = FromPieceSpaces(draw(30));
      ASSERT_EQ(Encode(vocabulary, text), Reference(vocabulary, text)) << text;
    }
  }
}

TEST(SentencePieceBpe, AMegabyteWithoutASpace) {
  Vocabulary vocabulary = WithoutPrefix();
  std::string piece = "n";
  int longest = kPieceN;
  while (piece.size() < 1024) longest = AddPiece(piece += piece, -1, &vocabulary);
  EXPECT_EQ(Encode(vocabulary, std::string(1 << 20, 'n')), std::vector<int>(1024, longest));
}

TEST(SentencePieceBpe, NamesWhatIsWrongWithAVocabulary) {
  Vocabulary bad = TestPieces();
  bad.scores.pop_back();
  EXPECT_EQ(WhyNoTokenizer(bad), "the vocabulary has 271 tokens but 270 scores");
  bad.scores.clear();
  EXPECT_EQ(WhyNoTokenizer(bad), "the vocabulary has 271 tokens but 0 scores");

  bad = TestPieces();
  bad.scores[kPieceHe] = std::nanf("");
  EXPECT_EQ(WhyNoTokenizer(bad), "the score of token 260 is not a number");
  bad.scores[kPieceHe] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(WhyNoTokenizer(bad), "");

  bad = TestPieces();
  bad.unknown = -1;
  EXPECT_EQ(WhyNoTokenizer(bad), "");
  bad.tokens[Byte(0x7f)] = "<0x7E>";
  EXPECT_EQ(WhyNoTokenizer(bad),
            "the vocabulary has neither a token for byte 0x7f nor an unknown token");

  bad = TestPieces();
  bad.unknown = 271;
  EXPECT_EQ(WhyNoTokenizer(bad),
            "unknown token 271 is out of range: the vocabulary has 271 tokens");
}

}  // namespace
}  // namespace bitfetch
