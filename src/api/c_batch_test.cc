// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>

#include "api/tiny_model.h"

namespace bitfetch {
namespace {

class CApiBatch : public testing::Test {
 protected:
  Model model_{kTinyModel, QuietModelOptions()};
  Sequence one_{model_};
  Sequence other_{model_};
  const std::vector<int32_t> tokens_ = SomeTokens(3, 1);
};

TEST_F(CApiBatch, EachSequenceGetsTheBitsThatItGetsAlone) {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<Sequence> sequences;
  std::vector<bitfetch_piece> pieces;
  for (const int count : {1, 3, 40, 150, 17}) {
    const int seed = static_cast<int>(tokens.size());
    tokens.push_back(SomeTokens(count, seed));
    sequences.emplace_back(model_);
  }
  const auto vocab = static_cast<size_t>(model_.vocab());
  std::vector<float> all(3 * vocab, NAN);
  for (size_t i = 0; i < sequences.size(); ++i) {
    pieces.push_back(sequences[i].Piece(tokens[i], i == 1 ? all.data() : nullptr));
  }
  model_.Run(pieces);
  std::vector<const Sequence*> pointers;
  std::vector<float> expected;
  for (size_t i = 0; i < sequences.size(); ++i) {
    EXPECT_EQ(pieces[i].status, BITFETCH_OK);
    EXPECT_STREQ(pieces[i].message, "");
    EXPECT_EQ(sequences[i].tokens(), tokens[i]);
    pointers.push_back(&sequences[i]);
    const std::vector<float> alone = LogitsAlone(tokens[i]);
    EXPECT_EQ(LogitsOf(model_, sequences[i]), alone);
    expected.insert(expected.end(), alone.begin(), alone.end());
  }
  EXPECT_EQ(model_.Logits(pointers), expected);
  for (size_t row = 0; row < 3; ++row) {
    const std::vector<float> logits(all.begin() + row * vocab, all.begin() + (row + 1) * vocab);
    EXPECT_EQ(logits, LogitsAlone({tokens[1].begin(), tokens[1].begin() + row + 1})) << row;
  }
}

TEST_F(CApiBatch, APieceFailsAlone) {
  Sequence full(model_), unknown(model_), empty(model_);
  full.Append(SomeTokens(510, 1));
  const std::vector<float> logits = LogitsOf(model_, full);
  const std::vector<int32_t> no_token = {1, 1 << 20};
  bitfetch_piece pieces[] = {full.Piece(tokens_), unknown.Piece(no_token), one_.Piece(tokens_),
                             empty.Piece({})};
  model_.Run(pieces);
  EXPECT_EQ(pieces[0].status, BITFETCH_CONTEXT_FULL);
  EXPECT_THAT(pieces[0].message, testing::HasSubstr("the context of 512 tokens is full"));
  EXPECT_EQ(pieces[1].status, BITFETCH_INVALID_ARGUMENT);
  EXPECT_THAT(pieces[1].message, testing::HasSubstr("token 1048576 is out of range"));
  EXPECT_EQ(pieces[2].status, BITFETCH_OK);
  EXPECT_EQ(pieces[3].status, BITFETCH_INVALID_ARGUMENT);
  EXPECT_THAT(pieces[3].message, testing::HasSubstr("no tokens"));
  EXPECT_EQ(full.length(), 510);
  EXPECT_EQ(LogitsOf(model_, full), logits);
  EXPECT_EQ(unknown.length(), 0);
  EXPECT_EQ(LogitsOf(model_, one_), LogitsAlone(tokens_));
}

TEST_F(CApiBatch, IsRefusedWholeAndDoesNothing) {
  const Model other_model(kTinyModel, QuietModelOptions());
  Sequence foreign(other_model);
  bitfetch_piece pieces[] = {one_.Piece(tokens_), other_.Piece(tokens_)};
  const auto expect_invalid = [&](const std::string& message) {
    pieces[0].status = pieces[1].status = BITFETCH_STOPPED;
    ExpectStatus(bitfetch_batch_run(model_.get(), pieces, 2), BITFETCH_INVALID_ARGUMENT, message);
    EXPECT_EQ(pieces[0].status, BITFETCH_STOPPED);
    EXPECT_EQ(pieces[1].status, BITFETCH_STOPPED);
    EXPECT_EQ(one_.length(), 0);
    EXPECT_EQ(other_.length(), 0);
    pieces[1] = other_.Piece(tokens_);
  };
  pieces[1].sequence = one_.get();
  expect_invalid("twice");
  pieces[1].sequence = foreign.get();
  expect_invalid("pieces[1] is a sequence of another model");
  pieces[1].sequence = nullptr;
  expect_invalid("pieces[1] is a null pointer");
  pieces[1].tokens = nullptr;
  expect_invalid("tokens of pieces[1] is a null pointer");
  pieces[1].struct_size += 8;
  expect_invalid("pieces[1]: struct_size is ");
  pieces[1].struct_size = 0;
  expect_invalid("pieces[1]: struct_size is 0");
  for (const size_t bytes : {size_t{0}, sizeof(bitfetch_piece) + 1}) {
    pieces[0].struct_size = bytes;
    expect_invalid("pieces: struct_size is ");
  }
  ExpectStatus(bitfetch_batch_run(nullptr, pieces, 2), BITFETCH_INVALID_ARGUMENT, "model");
  ExpectStatus(bitfetch_batch_run(model_.get(), nullptr, 2), BITFETCH_INVALID_ARGUMENT, "pieces");
  EXPECT_EQ(bitfetch_batch_run(model_.get(), nullptr, 0), BITFETCH_OK);
}

TEST_F(CApiBatch, PiecesMayBeThoseOfANewerHeader) {
  struct Newer {
    bitfetch_piece known;
    int64_t added;
  } pieces[2] = {{one_.Piece(tokens_), 0}, {other_.Piece(tokens_), 1}};
  for (Newer& piece : pieces) piece.known.struct_size = sizeof(Newer);
  ExpectStatus(bitfetch_batch_run(model_.get(), &pieces[0].known, 2), BITFETCH_INVALID_ARGUMENT,
               "the others are not zero");
  pieces[1].added = 0;
  ASSERT_EQ(bitfetch_batch_run(model_.get(), &pieces[0].known, 2), BITFETCH_OK);
  EXPECT_EQ(pieces[1].known.status, BITFETCH_OK);
  EXPECT_EQ(one_.length(), 3);
  EXPECT_EQ(other_.tokens(), tokens_);
}

TEST_F(CApiBatch, LogitsAreOfAllSequencesOrOfNone) {
  const Model other_model(kTinyModel, QuietModelOptions());
  const Sequence foreign(other_model);
  one_.Append(tokens_);
  std::vector<float> logits(2 * static_cast<size_t>(model_.vocab()), 7.0f);
  const std::vector<float> untouched = logits;
  bitfetch_sequence* sequences[] = {one_.get(), other_.get()};
  ExpectStatus(bitfetch_batch_logits(model_.get(), sequences, 2, logits.data()), BITFETCH_FAILED,
               "no token was appended");
  sequences[1] = foreign.get();
  ExpectStatus(bitfetch_batch_logits(model_.get(), sequences, 2, logits.data()),
               BITFETCH_INVALID_ARGUMENT, "sequences[1] is a sequence of another model");
  sequences[1] = nullptr;
  ExpectStatus(bitfetch_batch_logits(model_.get(), sequences, 2, logits.data()),
               BITFETCH_INVALID_ARGUMENT, "sequences[1] is a null pointer");
  EXPECT_EQ(logits, untouched);
  ExpectStatus(bitfetch_batch_logits(model_.get(), sequences, 1, nullptr),
               BITFETCH_INVALID_ARGUMENT, "logits");
  ExpectStatus(bitfetch_batch_logits(nullptr, sequences, 1, logits.data()),
               BITFETCH_INVALID_ARGUMENT, "model");
  EXPECT_EQ(bitfetch_batch_logits(model_.get(), nullptr, 0, nullptr), BITFETCH_OK);
}

}  // namespace
}  // namespace bitfetch
