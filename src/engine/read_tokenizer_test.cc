// SPDX-License-Identifier: Apache-2.0
#include "engine/read_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "convert/gguf_writer.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<std::string> ByteTokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(AlphabetCharacter(byte));
  return tokens;
}

struct Keys {
  std::string model = "gpt2";     // or "llama", which has scores and no merges
  std::string pre = "llama-bpe";  // empty: no such key
  std::vector<std::string> tokens = ByteTokens();
  std::vector<std::string> merges = {"h e", "l l"};
  std::vector<int32_t> types = {};
  std::vector<float> scores = {};
  std::map<std::string, bool> flags = {};
  std::map<std::string, int64_t> ids = {{"bos_token_id", 257}, {"eos_token_id", 256}};
};

void TakePieces(Keys& keys) {
  const Vocabulary vocabulary = TestPieces();
  keys.model = "llama";
  keys.pre = "default";
  keys.tokens = vocabulary.tokens;
  keys.types.assign(vocabulary.types.begin(), vocabulary.types.end());
  keys.scores = vocabulary.scores;
  keys.ids = {{"bos_token_id", 1}, {"eos_token_id", 2}};
}

class ReadTokenizerTest : public testing::Test {
 protected:
  Result<Tokenizer> Read(const std::function<void(Keys&)>& change) {
    Keys keys;
    keys.tokens.insert(keys.tokens.end(), {"<|end_of_text|>", "<|begin_of_text|>", "he", "ll"});
    keys.types.assign(keys.tokens.size(), 1);
    keys.types[256] = keys.types[257] = 3;
    change(keys);
    GgufWriter writer;
    writer.Add<std::string>("tokenizer.ggml.model", keys.model);
    if (!keys.pre.empty()) writer.Add<std::string>("tokenizer.ggml.pre", keys.pre);
    writer.AddArray<std::string>("tokenizer.ggml.tokens", keys.tokens);
    if (keys.model == "gpt2") writer.AddArray<std::string>("tokenizer.ggml.merges", keys.merges);
    if (!keys.scores.empty()) writer.AddArray<float>("tokenizer.ggml.scores", keys.scores);
    for (const auto& [key, value] : keys.flags) writer.Add<bool>("tokenizer.ggml." + key, value);
    if (!keys.types.empty()) writer.AddArray<int32_t>("tokenizer.ggml.token_type", keys.types);
    for (const auto& [key, id] : keys.ids) writer.Add<int64_t>("tokenizer.ggml." + key, id);
    EXPECT_TRUE(writer.Open(path_));
    EXPECT_TRUE(writer.Commit());
    file_ = std::make_unique<GgufReader>(GgufReader::Open(path_).value());
    return ReadTokenizer(*file_);
  }

  std::string Message(const std::function<void(Keys&)>& change) {
    const auto tokenizer = Read(change);
    return tokenizer ? "accepted" : tokenizer.error().message;
  }

  TempDir folder_;
  std::string path_ = folder_.Path("vocabulary.gguf");
  std::unique_ptr<GgufReader> file_;
};

TEST_F(ReadTokenizerTest, ReadsWhatTheFileSays) {
  const auto tokenizer = Read([](Keys&) {});
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->size(), 260);
  EXPECT_EQ(tokenizer->Encode("hell", true).value(), (std::vector<int>{257, 258, 259}));
  EXPECT_EQ(tokenizer->eos(), 256);
  std::vector<int> whole = {258};
  tokenizer->EndText(&whole);
  EXPECT_EQ(whole, (std::vector<int>{258})) << "no add_eos_token";
  EXPECT_TRUE(ReadTokenizerFor(*file_, 260));
  EXPECT_THAT(ReadTokenizerFor(*file_, 261).error().message,
              AllOf(HasSubstr("vocabulary.gguf"), HasSubstr("260"), HasSubstr("261")));
}

TEST_F(ReadTokenizerTest, TakesLlamaBpeWhereThePublishedFileSaysNothing) {
  const auto tokenizer = Read([](Keys& keys) { keys.pre = ""; });
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->name(), "byte-level BPE (llama-bpe)");
}

TEST_F(ReadTokenizerTest, BosUnlessTheFileSaysOtherwiseOrItIsQwens) {
  EXPECT_TRUE(Read([](Keys&) {})->add_bos());
  EXPECT_FALSE(Read([](Keys& keys) { keys.ids.erase("bos_token_id"); })->add_bos());
  EXPECT_FALSE(Read([](Keys& keys) { keys.pre = "qwen2"; })->add_bos());
  EXPECT_TRUE(Read([](Keys& keys) {
                keys.pre = "qwen2";
                keys.flags["add_bos_token"] = true;
              })->add_bos());
  EXPECT_TRUE(Read(TakePieces)->add_bos());
}

TEST_F(ReadTokenizerTest, ReadsSentencePiece) {
  constexpr int kSpaceThe = kFirstTestPiece + 2;
  const auto tokenizer = Read(TakePieces);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->name(), "SentencePiece BPE");
  EXPECT_EQ(tokenizer->Encode("the", true).value(), (std::vector<int>{1, kSpaceThe}));
  const auto without = Read([](Keys& keys) {
    TakePieces(keys);
    keys.flags["add_space_prefix"] = false;
  });
  EXPECT_EQ(without->Encode(" the", false).value(), std::vector<int>{kSpaceThe});
}

TEST_F(ReadTokenizerTest, TheUnknownTokenIsThatOfTheKeyOrTheFirstTypedSo) {
  const auto unknown_of = [&](const std::function<void(Keys&)>& change) {
    const auto tokenizer = Read([&](Keys& keys) {
      TakePieces(keys);
      keys.types[3 + 0xc3] = kUnusedToken;
      change(keys);
    });
    EXPECT_TRUE(tokenizer) << tokenizer.error().message;
    return tokenizer->Encode("é", false)->back();
  };
  EXPECT_EQ(unknown_of([](Keys&) {}), 0);
  EXPECT_EQ(unknown_of([](Keys& keys) { keys.ids["unknown_token_id"] = 9; }), 9);
  EXPECT_EQ(unknown_of([](Keys& keys) { keys.ids["unknown_token_id"] = 900; }), 0);
}

TEST_F(ReadTokenizerTest, ATurnEndsAtTheTokensOfKeysAndNames) {
  const auto tokenizer = Read([](Keys& keys) {
    keys.tokens.insert(keys.tokens.end(), {"</turn>", "</msg>", "<|im_end|>"});
    keys.types.clear();  // not one is said to be a control token
    keys.ids["eot_token_id"] = 260;
    keys.ids["eom_token_id"] = 261;
  });
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->StopTokens(), (std::vector<int>{256, 260, 261, 262}));
}

TEST_F(ReadTokenizerTest, AnIdThatNoTokenHasIsNotTaken) {
  for (const std::string key : {"bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id"}) {
    for (const int64_t id :
         {int64_t{260}, int64_t{-1}, int64_t{-2}, int64_t{0xffffffff}, int64_t{1} << 40}) {
      testing::internal::CaptureStderr();
      const auto tokenizer = Read([&](Keys& keys) { keys.ids[key] = id; });
      EXPECT_THAT(testing::internal::GetCapturedStderr(),
                  HasSubstr(fmt::format(
                      "tokenizer.ggml.{} is {}, but there are 260 tokens: taking none", key, id)));
      ASSERT_TRUE(tokenizer) << tokenizer.error().message;
      EXPECT_EQ(tokenizer->bos(), key == "bos_token_id" ? -1 : 257);
      EXPECT_EQ(tokenizer->eos(), key == "eos_token_id" ? -1 : 256);
    }
  }
}

TEST_F(ReadTokenizerTest, DuplicateAndEmptyTokensAreAccepted) {
  const auto tokenizer = Read([](Keys& keys) {
    keys.tokens.insert(keys.tokens.end(), {"he", "", ""});
    keys.types.insert(keys.types.end(), {1, 4, 0});
  });
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->Encode("hell", false), (std::vector<int>{258, 259}));
  EXPECT_EQ(tokenizer->TokenBytes(260), "he");
}

TEST_F(ReadTokenizerTest, NamesTheFileAndWhatIsWrong) {
  EXPECT_THAT(Message([](Keys& keys) { keys.model = "bert"; }),
              AllOf(HasSubstr("vocabulary.gguf"), HasSubstr("'bert' is not supported")));
  EXPECT_THAT(Message([](Keys& keys) { keys.pre = "tekken"; }), HasSubstr("tekken"));
  EXPECT_THAT(Message([](Keys& keys) { keys.model = "llama"; }),
              HasSubstr("tokenizer.ggml.scores is missing"));
  EXPECT_THAT(Message([](Keys& keys) {
                TakePieces(keys);
                keys.scores.pop_back();
              }),
              HasSubstr("vocabulary.gguf: the vocabulary has 271 tokens but 270 scores"));
  EXPECT_THAT(Message([](Keys& keys) {
                TakePieces(keys);
                keys.scores[260] = std::nanf("");
              }),
              HasSubstr("vocabulary.gguf: the score of token 260 is not a number"));
  EXPECT_THAT(Message([](Keys& keys) { keys.merges.emplace_back("zz z"); }), HasSubstr("zz z"));
  EXPECT_THAT(Message([](Keys& keys) { keys.tokens[5] = keys.tokens[6]; }),
              HasSubstr("vocabulary.gguf: the vocabulary has no token for byte 0x05"));
  EXPECT_NE(Message([](Keys& keys) { keys.types.resize(3); }), "accepted");
  EXPECT_NE(Message([](Keys& keys) {
              keys.tokens.clear();
              keys.types.clear();
            }),
            "accepted");
}

TEST_F(ReadTokenizerTest, NamesAKeyThatIsMissing) {
  GgufWriter writer;
  writer.Add<std::string>("tokenizer.ggml.model", "gpt2");
  ASSERT_TRUE(writer.Open(path_));
  ASSERT_TRUE(writer.Commit());
  EXPECT_THAT(ReadTokenizer(GgufReader::Open(path_).value()).error().message,
              HasSubstr("tokenizer.ggml.tokens"));
}

}  // namespace
}  // namespace bitfetch
