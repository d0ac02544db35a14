// SPDX-License-Identifier: Apache-2.0
#include "engine/embedding.h"

#include <gtest/gtest.h>

#include "base/temp_dir.h"
#include "engine/engine.h"
#include "engine/test_profile.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

class EmbeddingTest : public ::testing::Test {
 protected:
  EmbeddingTest() {
    EXPECT_TRUE(WriteTestModel(folder_.Path("model.gguf"), {.architecture = "gemma3",
                                                            .hidden = 256,
                                                            .ffn = 256,
                                                            .head_dim = 64,
                                                            .input_norms = true}));
    engine_ = Engine::Open(folder_.Path("model.gguf"), {.kv_tokens = 512}).value();
  }

  std::vector<float> Alone(const std::vector<int>& tokens) {
    Sequence sequence = engine_->NewSequence().value();
    SequencePiece piece{.sequence = &sequence, .tokens = tokens};
    EXPECT_TRUE(engine_->Run({&piece, 1}).value());
    return Embedding(sequence).value();
  }

  TempDir folder_;
  TestProfile profile_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EmbeddingTest, IsOfLengthOneAndTheSameAloneAndInABatch) {
  const std::vector<std::vector<int>> texts = {{1, 2, 3}, {7}, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  std::vector<Sequence> sequences;
  for (size_t i = 0; i < texts.size(); ++i) sequences.push_back(engine_->NewSequence().value());
  std::vector<SequencePiece> pieces;
  for (size_t i = 0; i < texts.size(); ++i) {
    pieces.push_back({.sequence = &sequences[i], .tokens = texts[i]});
  }
  ASSERT_TRUE(engine_->Run(pieces).value());
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> embedding = Embedding(sequences[i]).value();
    EXPECT_EQ(embedding, Alone(texts[i])) << i;
    EXPECT_EQ(embedding.size(), 256u);
    double squares = 0;
    for (const float x : embedding) squares += double{x} * x;
    EXPECT_NEAR(squares, 1, 1e-6);
    for (size_t j = 0; j < i; ++j) EXPECT_NE(embedding, Alone(texts[j]));
    // The state itself points the same way.
    for (size_t c = 0; c < embedding.size(); ++c) {
      EXPECT_NEAR(embedding[c] * sequences[i].state()[0], sequences[i].state()[c] * embedding[0],
                  1e-5);
    }
  }
}

TEST_F(EmbeddingTest, OfNothingIsAnError) {
  Sequence sequence = engine_->NewSequence().value();
  EXPECT_FALSE(Embedding(sequence));
  const std::vector<int> tokens = {1, 2};
  SequencePiece piece{.sequence = &sequence, .tokens = tokens};
  ASSERT_TRUE(engine_->Run({&piece, 1}).value());
  EXPECT_TRUE(Embedding(sequence));
  sequence.Truncate(1);
  EXPECT_FALSE(Embedding(sequence));
}

}  // namespace
}  // namespace bitfetch
