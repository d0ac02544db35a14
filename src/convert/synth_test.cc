// SPDX-License-Identifier: Apache-2.0
#include "convert/synth.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "base/temp_dir.h"
#include "engine/read_tokenizer.h"
#include "engine/session.h"
#include "model/gguf_reader.h"
#include "model/model_config.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

SynthShape Tiny() { return SynthShapeNamed("tiny").value(); }

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class SynthTest : public ::testing::Test {
 protected:
  std::string Write(const SynthShape& shape, const std::string& name = "model.gguf") {
    std::string path = dir_.Path(name);
    const Status status = WriteSynthModel(path, shape, {});
    EXPECT_TRUE(status) << status.error().message;
    return path;
  }

  // The logits after some tokens; they show every weight.
  std::vector<float> Logits(const SynthShape& shape) {
    EngineOptions options{.threads = 2};
    options.prefetch.mode = PrefetchSetting::Mode::kOff;
    auto session = Session::Open(Write(shape), options);
    if (!session) {
      ADD_FAILURE() << session.error().message;
      return {};
    }
    const std::vector<int> tokens = {1, 20, 3, 20, 111};
    EXPECT_TRUE((*session)->Append(tokens));
    std::vector<float> logits;
    const auto by_id = (*session)->Logits().value();
    for (const Logit& logit : by_id) logits.push_back(logit.value);
    return logits;
  }

  std::string ErrorOf(const SynthShape& shape) {
    const Status status = WriteSynthModel(dir_.Path("bad.gguf"), shape, {});
    EXPECT_FALSE(std::filesystem::exists(dir_.Path("bad.gguf")));
    return status ? "" : status.error().message;
  }

  TempDir dir_;
};

TEST_F(SynthTest, TheFileHasTheShape) {
  SynthShape shape = Tiny();
  shape.architecture = "llama";
  shape.layers = 3;
  shape.heads = 6;
  shape.kv_heads = 3;
  shape.head_dim = 80;
  shape.vocab = 301;
  shape.context = 77;
  shape.own_output = true;
  const auto file = GgufReader::Open(Write(shape));
  ASSERT_TRUE(file) << file.error().message;
  const auto config = ReadModelConfig(*file);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->architecture, &kLlama);
  EXPECT_EQ(config->layers, 3);
  EXPECT_EQ(config->hidden, shape.hidden);
  EXPECT_EQ(config->ffn, shape.ffn);
  EXPECT_EQ(config->heads, 6);
  EXPECT_EQ(config->kv_heads, 3);
  EXPECT_EQ(config->head_dim, 80);
  EXPECT_EQ(config->vocab, 301);
  EXPECT_EQ(config->context, 77);
  EXPECT_EQ(config->rope_theta, shape.rope_theta);
  EXPECT_TRUE(file->FindTensor("output.weight"));
  EXPECT_FALSE(Logits(shape).empty());
}

TEST_F(SynthTest, LogitsAreOfASaneSize) {
  for (const char* architecture : {"bitnet-b1.58", "llama", "qwen3", "gemma3"}) {
    SynthShape shape = Tiny();
    shape.architecture = architecture;
    shape.input_norms = architecture == std::string_view("gemma3");
    shape.layers = 12;
    double squares = 0;
    const std::vector<float> logits = Logits(shape);
    for (const float logit : logits) squares += double{logit} * logit;
    const double mean_square = squares / static_cast<double>(logits.size());
    EXPECT_GT(mean_square, 0.1) << architecture;
    EXPECT_LT(mean_square, 100) << architecture;
  }
}

TEST_F(SynthTest, TypesOnlyChangeHowTheSameNumbersAreStored) {
  SynthShape shape = Tiny();
  const std::vector<float> expected = Logits(shape);
  for (const TensorType type : {TensorType::kTQ1_0, TensorType::kTQ2_0}) {
    shape.weights = type;
    EXPECT_EQ(Logits(shape), expected) << TensorTypeName(type);
  }
  shape.embedding = TensorType::kF32;
  EXPECT_EQ(Logits(shape), expected);
  shape.embedding = TensorType::kBF16;
  const std::vector<float> rounded = Logits(shape);
  EXPECT_NE(rounded, expected);
  ASSERT_EQ(rounded.size(), expected.size());
  for (size_t i = 0; i < rounded.size(); ++i) EXPECT_NEAR(rounded[i], expected[i], 1);
}

TEST_F(SynthTest, TheSameShapeGivesTheSameFileAndAnotherSeedAnother) {
  SynthShape shape = Tiny();
  const std::string first = ReadBytes(Write(shape, "a.gguf"));
  EXPECT_EQ(ReadBytes(Write(shape, "b.gguf")), first);
  shape.seed = 2;
  const std::string other = ReadBytes(Write(shape, "c.gguf"));
  EXPECT_EQ(other.size(), first.size());
  EXPECT_NE(other, first);
}

TEST_F(SynthTest, TheTokenizerCoversTheVocabulary) {
  for (const int64_t vocab : {kMinSynthTokenizer, int64_t{261}, int64_t{300}, int64_t{2000}}) {
    SynthShape shape = Tiny();
    shape.vocab = vocab;
    const auto file = GgufReader::Open(Write(shape));
    ASSERT_TRUE(file);
    const auto tokenizer = ReadTokenizerFor(*file, vocab);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    std::string bytes;
    for (int byte = 0; byte < 128; ++byte) bytes.push_back(static_cast<char>(byte));
    bytes += "h\u00e9\u4e2d\U0001f600";
    const auto tokens = tokenizer->Encode(bytes, /*add_bos=*/false);
    ASSERT_TRUE(tokens);
    EXPECT_EQ(tokenizer->Decode(*tokens).value(), bytes);
    EXPECT_TRUE(tokenizer->add_bos());
    EXPECT_EQ(tokenizer->ControlToken("<|eot_id|>"), tokenizer->bos() + 2);
    EXPECT_EQ(tokenizer->eos(), tokenizer->bos() + 1);
  }
  SynthShape shape = Tiny();
  shape.vocab = kMinSynthTokenizer - 1;
  const auto file = GgufReader::Open(Write(shape));
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->Has("tokenizer.ggml.model"));
}

TEST_F(SynthTest, EachArchitectureHasItsKindOfTokenizer) {
  const auto tokenizer_of = [&](const std::string& architecture, int64_t vocab) {
    SynthShape shape = Tiny();
    shape.architecture = architecture;
    shape.vocab = vocab;
    auto tokenizer = ReadTokenizerFor(*GgufReader::Open(Write(shape)), vocab);
    EXPECT_TRUE(tokenizer) << tokenizer.error().message;
    return *std::move(tokenizer);
  };
  for (const int64_t vocab : {kMinSynthTokenizer, int64_t{512}}) {
    const Tokenizer qwen = tokenizer_of("qwen3", vocab);
    EXPECT_EQ(qwen.name(), "byte-level BPE (qwen2)");
    EXPECT_EQ(qwen.bos(), -1);
    EXPECT_EQ(qwen.ControlToken("<|im_end|>"), qwen.eos());
    EXPECT_EQ(tokenizer_of("gemma3", vocab).Encode("a b", /*add_bos=*/true),
              (std::vector<int>{1, 3 + 'a', 259, 3 + 'b'}));
    EXPECT_EQ(tokenizer_of("bitnet", vocab).Encode("a", /*add_bos=*/true),
              (std::vector<int>{1, 259, 3 + 'a'}));
  }
  const Tokenizer thinks = tokenizer_of("qwen3", 512);
  EXPECT_EQ(thinks.Encode("<think>", /*add_bos=*/false), std::vector<int>{thinks.eos() + 2});
  for (const char* architecture : {"bitnet-b1.58", "bitnet", "llama", "qwen3", "gemma3"}) {
    EXPECT_EQ(tokenizer_of(architecture, 512).TokenBytes(300), " w300") << architecture;
  }
}

TEST_F(SynthTest, YarnIsInTheFile) {
  SynthShape shape = Tiny();
  shape.architecture = "qwen3";
  shape.yarn_factor = 4;
  shape.rms_epsilon = 1e-6f;
  const auto config = ReadModelConfig(*GgufReader::Open(Write(shape)));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->yarn.factor, 4);
  EXPECT_EQ(config->yarn.original_context, shape.context / 4);
  EXPECT_EQ(config->rms_epsilon, 1e-6f);
}

TEST_F(SynthTest, BosAndEosOf2B4TAreTheRealOnes) {
  SynthShape shape = SynthShapeNamed("bitnet-2b4t").value();
  shape.layers = 1;
  shape.hidden = shape.ffn = 128;
  shape.heads = shape.kv_heads = 1;
  shape.head_dim = 128;
  const auto file = GgufReader::Open(Write(shape));
  ASSERT_TRUE(file);
  const auto tokenizer = ReadTokenizerFor(*file, 128256);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->bos(), 128000);
  EXPECT_EQ(tokenizer->eos(), 128001);
}

TEST_F(SynthTest, KnowsTheNamedShapes) {
  EXPECT_EQ(SynthShapeNamed("bitnet-2b4t")->vocab, 128256);
  EXPECT_EQ(SynthShapeNamed("falcon3-1b")->architecture, "llama");
  EXPECT_EQ(SynthShapeNamed("bonsai-8b")->heads, 32);
  EXPECT_EQ(SynthShapeNames().substr(0, 25), "bitnet-2b4t, falcon3-1b, ");
  const auto unknown = SynthShapeNamed("gpt");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "shape 'gpt' is not known: there are " + SynthShapeNames());
}

TEST_F(SynthTest, SaysWhatCannotBeAModel) {
  SynthShape shape = Tiny();
  shape.heads = 3;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("3 heads are not a multiple of 2 KV heads"));
  shape = Tiny();
  shape.head_dim = 24;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("heads of 24 dimensions"));
  shape = Tiny();
  shape.layers = 0;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("0 layers"));
  shape = Tiny();
  shape.hidden = int64_t{1} << 40;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("1099511627776 hidden"));
  shape = Tiny();
  shape.hidden = 384;
  shape.weights = TensorType::kTQ1_0;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("blk.0.attn_q.weight of 384 x 256"));
  shape = Tiny();
  shape.hidden = 3;
  shape.ffn = 5;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("I2_S needs a multiple of 128"));
  shape = Tiny();
  shape.weights = TensorType::kF16;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("weights of type F16"));
  shape = Tiny();
  shape.embedding = TensorType::kQ4_K;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("embedding of type Q4_K"));
  shape = Tiny();
  shape.architecture = "gpt2";
  EXPECT_THAT(ErrorOf(shape), HasSubstr("architecture 'gpt2'"));
  shape = Tiny();
  shape.input_norms = true;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("bitnet-b1.58 has no norm before every projection"));
}

TEST_F(SynthTest, RefusesWhatNoReaderAccepts) {
  for (const auto& [size, max] : {std::pair(&SynthShape::layers, ModelConfig::kMaxLayers),
                                  std::pair(&SynthShape::hidden, ModelConfig::kMaxWidth),
                                  std::pair(&SynthShape::ffn, ModelConfig::kMaxWidth),
                                  std::pair(&SynthShape::heads, ModelConfig::kMaxHeads),
                                  std::pair(&SynthShape::kv_heads, ModelConfig::kMaxHeads),
                                  std::pair(&SynthShape::head_dim, ModelConfig::kMaxHeadDim),
                                  std::pair(&SynthShape::vocab, ModelConfig::kMaxVocab),
                                  std::pair(&SynthShape::context, ModelConfig::kMaxContext)}) {
    SynthShape shape = Tiny();
    shape.*size = max + 1;
    EXPECT_THAT(ErrorOf(shape), HasSubstr(fmt::format("wanted 1 to {}", max)));
  }
  SynthShape shape = Tiny();
  shape.heads = shape.kv_heads = ModelConfig::kMaxHeads;
  shape.head_dim = ModelConfig::kMaxWidth / ModelConfig::kMaxHeads + ModelConfig::kHeadDimStep;
  EXPECT_THAT(ErrorOf(shape), HasSubstr("4096 heads of 80 dimensions"));
}

TEST_F(SynthTest, ProgressReachesTheEnd) {
  int64_t last = 0, all = 0;
  const auto progress = [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    last = done;
    all = total;
  };
  ASSERT_TRUE(WriteSynthModel(dir_.Path("model.gguf"), Tiny(), progress));
  EXPECT_EQ(last, all);
  EXPECT_GT(all, 0);
}

TEST_F(SynthTest, LeavesNothingWhereNothingCanBeWritten) {
  EXPECT_FALSE(WriteSynthModel(dir_.Path("no/model.gguf"), Tiny(), {}));
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

}  // namespace
}  // namespace bitfetch
