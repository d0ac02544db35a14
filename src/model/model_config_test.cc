// SPDX-License-Identifier: Apache-2.0
#include "model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <span>

#include "base/temp_dir.h"
#include "convert/gguf_writer.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

// The metadata of a model, without its tensors but the embedding; each key can be left out or given
// again. Defaults are those of BitNet b1.58 2B4T's published file, but for its vocabulary.
class Metadata {
 public:
  explicit Metadata(const std::string& architecture) : arch_(architecture + ".") {
    Set<std::string>("general.architecture", architecture);
    Set<std::string>("general.name", "bitnet2b");
    Set<uint32_t>(arch_ + "vocab_size", 10);
    Set<uint32_t>(arch_ + "context_length", 4096);
    Set<uint32_t>(arch_ + "embedding_length", 2560);
    Set<uint32_t>(arch_ + "block_count", 30);
    Set<uint32_t>(arch_ + "feed_forward_length", 6912);
    Set<uint32_t>(arch_ + "rope.dimension_count", 128);
    Set<uint32_t>(arch_ + "attention.head_count", 20);
    Set<uint32_t>(arch_ + "attention.head_count_kv", 5);
    Set<float>(arch_ + "attention.layer_norm_rms_epsilon", 1e-5f);
    Set<float>(arch_ + "rope.freq_base", 500000.f);
  }

  template <class T>
  Metadata& Set(const std::string& key, T value) {
    add_[key] = [=](GgufWriter* writer) { writer->Add<T>(key, value); };
    return *this;
  }
  Metadata& SetTokens(size_t count) {
    add_["tokenizer.ggml.tokens"] = [=](GgufWriter* writer) {
      writer->AddArray<std::string>("tokenizer.ggml.tokens", std::vector<std::string>(count, "x"));
    };
    return *this;
  }
  Metadata& Unset(const std::string& key) {
    add_.erase(key);
    return *this;
  }

  Result<ModelConfig> Read(bool embedding = true) const {
    const TempDir dir;
    GgufWriter writer;
    for (const auto& [key, add] : add_) add(&writer);
    const std::vector<int64_t> shape = {2560, 10};
    const std::vector<std::byte> data(2560 * 10 * 2);
    if (embedding) writer.AddTensor("token_embd.weight", TensorType::kF16, shape);
    EXPECT_TRUE(writer.Open(dir.Path("m.gguf")));
    if (embedding) {
      EXPECT_TRUE(writer.Append(data));
    }
    EXPECT_TRUE(writer.Commit());
    BITFETCH_ASSIGN_OR_RETURN(const GgufReader reader, GgufReader::Open(dir.Path("m.gguf")));
    return ReadModelConfig(reader).map_error([&](const Error& error) {
      EXPECT_THAT(error.message, ::testing::StartsWith(dir.Path("m.gguf: ")));
      return Error{error.message.substr(dir.Path("m.gguf: ").size())};
    });
  }
  std::string ErrorOf() const {
    const auto config = Read();
    return config ? "" : config.error().message;
  }

 private:
  std::string arch_;
  std::map<std::string, std::function<void(GgufWriter*)>> add_;
};

TEST(ModelConfig, ThePublishedBitNet) {
  for (const char* name : {"bitnet-b1.58", "bitnet-25"}) {
    const auto config = Metadata(name).Read();
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->architecture, &kBitNet);
    EXPECT_EQ(config->name, "bitnet2b");
    EXPECT_EQ(config->layers, 30);
    EXPECT_EQ(config->hidden, 2560);
    EXPECT_EQ(config->ffn, 6912);
    EXPECT_EQ(config->heads, 20);
    EXPECT_EQ(config->kv_heads, 5);
    EXPECT_EQ(config->head_dim, 128);
    EXPECT_EQ(config->vocab, 10);
    EXPECT_EQ(config->context, 4096);
    EXPECT_EQ(config->rope_theta, 500000.f);
    EXPECT_EQ(config->rms_epsilon, 1e-5f);
  }
}

TEST(ModelConfig, LlamaAndItsDefaults) {
  const auto config = Metadata("llama")
                          .Set<uint32_t>("llama.attention.key_length", 256)
                          .Set<uint32_t>("llama.attention.value_length", 256)
                          .Set<uint32_t>("llama.rope.dimension_count", 256)
                          .Unset("llama.attention.head_count_kv")
                          .Unset("llama.rope.freq_base")
                          .Unset("llama.vocab_size")
                          .Unset("general.name")
                          .Read();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->architecture, &kLlama);
  EXPECT_EQ(config->name, "");
  EXPECT_EQ(config->head_dim, 256);
  EXPECT_EQ(config->kv_heads, 20);
  EXPECT_EQ(config->vocab, 10);
  EXPECT_EQ(config->rope_theta, 10000.f);
}

TEST(ModelConfig, OtherArchitecturesAreRefusedByName) {
  EXPECT_EQ(
      Metadata("qwen2").ErrorOf(),
      "architecture 'qwen2' is not supported: there are bitnet-b1.58, bitnet-25, bitnet, llama, "
      "qwen3, gemma3");
  EXPECT_THAT(Metadata("llama").Set<std::string>("general.architecture", "a\nb").ErrorOf(),
              ::testing::StartsWith("architecture 'a\\x0ab' is not supported"));
  // 1bitLLM's 3B.
  EXPECT_EQ(Metadata("bitnet")
                .Set<uint32_t>("bitnet.attention.head_count", 32)
                .Set<uint32_t>("bitnet.attention.head_count_kv", 32)
                .Set<uint32_t>("bitnet.embedding_length", 3200)
                .ErrorOf(),
            "heads of 100 dimensions are not supported: wanted a multiple of 16");
  EXPECT_EQ(Metadata("llama").Unset("general.architecture").ErrorOf(),
            "metadata key general.architecture is missing");
}

TEST(ModelConfig, NeededKeysAreMissed) {
  for (const char* suffix :
       {"context_length", "embedding_length", "block_count", "feed_forward_length",
        "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
    const std::string key = std::string("bitnet-b1.58.") + suffix;
    EXPECT_EQ(Metadata("bitnet-b1.58").Unset(key).ErrorOf(), "metadata key " + key + " is missing");
  }
  EXPECT_EQ(Metadata("llama").Read(false).error().message, "tensor token_embd.weight is missing");
}

TEST(ModelConfig, SizesAreBounded) {
  for (const char* suffix :
       {"context_length", "embedding_length", "block_count", "feed_forward_length",
        "attention.head_count", "attention.head_count_kv", "attention.key_length"}) {
    const std::string key = std::string("llama.") + suffix;
    for (const int64_t size :
         {int64_t{0}, int64_t{-1}, int64_t{1} << 32, std::numeric_limits<int64_t>::max()}) {
      EXPECT_THAT(
          Metadata("llama").Set<int64_t>(key, size).ErrorOf(),
          ::testing::StartsWith(fmt::format("metadata key {} is {}: wanted 1 to ", key, size)));
    }
    EXPECT_EQ(Metadata("llama").Set<std::string>(key, "x").ErrorOf(),
              "metadata key " + key + " is of type string: wanted an integer");
  }
}

TEST(ModelConfig, NumbersMustBeNumbers) {
  for (const char* suffix : {"attention.layer_norm_rms_epsilon", "rope.freq_base"}) {
    const std::string key = std::string("llama.") + suffix;
    for (const float value : {0.f, -1.f, std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()}) {
      EXPECT_EQ(Metadata("llama").Set<float>(key, value).ErrorOf(),
                fmt::format("metadata key {} is {}: wanted a positive number", key, value));
    }
    // Too small or large for a float.
    EXPECT_NE(Metadata("llama").Set<double>(key, 1e-60).ErrorOf(), "");
    EXPECT_NE(Metadata("llama").Set<double>(key, 1e60).ErrorOf(), "");
  }
}

TEST(ModelConfig, Yarn) {
  Metadata metadata("qwen3");
  metadata.Set<std::string>("qwen3.rope.scaling.type", "yarn")
      .Set<float>("qwen3.rope.scaling.factor", 4)
      .Set<uint32_t>("qwen3.rope.scaling.original_context_length", 1024)
      .Set<float>("qwen3.rope.scaling.yarn_ext_factor", 1);
  const auto config = metadata.Read();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->yarn.factor, 4);
  EXPECT_EQ(config->yarn.original_context, 1024);

  metadata.Unset("qwen3.rope.scaling.original_context_length");
  EXPECT_EQ(metadata.Read()->yarn.original_context, 4096);
  EXPECT_EQ(metadata.Set<float>("qwen3.rope.scaling.factor", 0.5f).ErrorOf(),
            "metadata key qwen3.rope.scaling.factor is 0.5: wanted 1 or more");
  EXPECT_EQ(Metadata("qwen3").Set<float>("qwen3.rope.scaling.factor", 1).Read()->yarn.factor, 1);
}

TEST(ModelConfig, GemmaScalesItsEmbeddingAndHasWindowsWhereTheKeyStands) {
  Metadata metadata("gemma3");
  auto config = metadata.Read();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->embedding_scale, std::sqrt(2560.f));
  EXPECT_EQ(config->window_period, 0);
  EXPECT_FALSE(config->input_norms);

  config = metadata.Set<uint32_t>("gemma3.attention.sliding_window", 512).Read();
  EXPECT_EQ(config->window_period, 6);
  EXPECT_EQ(config->window, 512);
  EXPECT_EQ(config->window_rope_theta, 10000);
  config = metadata.Set<uint32_t>("gemma3.attention.sliding_window_pattern", 4)
               .Set<float>("gemma3.rope.freq_base_swa", 20000)
               .Read();
  EXPECT_EQ(config->window_period, 4);
  EXPECT_EQ(config->window_rope_theta, 20000);
  EXPECT_EQ(metadata.Set<float>("gemma3.rope.freq_base_swa", 0.5f).ErrorOf(),
            "metadata key gemma3.rope.freq_base_swa is 0.5: wanted 1 or more");

  config = Metadata("llama").Set<uint32_t>("llama.attention.sliding_window", 512).Read();
  EXPECT_EQ(config->window_period, 0);
}

TEST(ModelConfig, HeadsMustDivide) {
  EXPECT_EQ(Metadata("llama").Set<uint32_t>("llama.attention.head_count_kv", 3).ErrorOf(),
            "20 heads are not a multiple of 3 KV heads");
  EXPECT_EQ(Metadata("llama").Set<uint32_t>("llama.attention.head_count_kv", 40).ErrorOf(),
            "20 heads are not a multiple of 40 KV heads");
  EXPECT_EQ(Metadata("llama").Set<uint32_t>("llama.embedding_length", 2570).ErrorOf(),
            "llama.embedding_length is 2570, not a multiple of llama.attention.head_count, 20");
  EXPECT_EQ(Metadata("llama").Set<uint32_t>("llama.attention.key_length", 100).ErrorOf(),
            "heads of 100 dimensions are not supported: wanted a multiple of 16");
  EXPECT_EQ(Metadata("llama").Set<uint32_t>("llama.attention.value_length", 64).ErrorOf(),
            "metadata key llama.attention.value_length is 64: only 128 is supported");
}

TEST(ModelConfig, WhatIsNotComputedIsRefused) {
  EXPECT_EQ(Metadata("llama").Set<float>("llama.logit_scale", 2).ErrorOf(),
            "metadata key llama.logit_scale is 2: only 1 or 0 is supported");
  EXPECT_EQ(Metadata("bitnet-25").Set<float>("bitnet-25.attention.clamp_kqv", 8).ErrorOf(),
            "metadata key bitnet-25.attention.clamp_kqv is 8: only 0 is supported");
}

TEST(ModelConfig, AVocabSizeThatDiffersIsAWarningWhereTokensAndRowsAgree) {
  Metadata metadata("llama");
  for (const int64_t size : {int64_t{11}, int64_t{0}, int64_t{1} << 40}) {
    EXPECT_EQ(
        metadata.Set<int64_t>("llama.vocab_size", size).ErrorOf(),
        fmt::format("metadata key llama.vocab_size is {}, but tensor token_embd.weight has 10 "
                    "rows",
                    size));
  }
  metadata.SetTokens(11);
  EXPECT_THAT(metadata.ErrorOf(), ::testing::EndsWith("token_embd.weight has 10 rows"));
  metadata.SetTokens(10);
  testing::internal::CaptureStderr();
  const auto config = metadata.Set<uint32_t>("llama.vocab_size", 11).Read();
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      ::testing::EndsWith("metadata key llama.vocab_size is 11, but there are 10 tokens and "
                          "rows of token_embd.weight\n"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->vocab, 10);
}

TEST(ModelConfig, ReadsWhatTheTestModelWrites) {
  const TempDir dir;
  ASSERT_TRUE(WriteTestModel(dir.Path("m"), {.architecture = "llama", .heads = 2}));
  const auto config = ReadModelConfig(*GgufReader::Open(dir.Path("m")));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->heads * config->head_dim, 128);  // not hidden, 256
}

}  // namespace
}  // namespace bitfetch
