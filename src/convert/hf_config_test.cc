// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_config.h"

#include <gmock/gmock.h>

#include <string>
#include <string_view>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

// A sound configuration, with further members.
std::string Config(std::string_view hf_class, std::string_view more) {
  return fmt::format(R"({{"architectures":["{}"],"num_hidden_layers":4,"hidden_size":2048,)"
                     R"("intermediate_size":6144,"num_attention_heads":16,"num_key_value_heads":8,)"
                     R"("head_dim":128,"vocab_size":151936,"max_position_embeddings":40960{}{}}})",
                     hf_class, more.empty() ? "" : ",", more);
}

Result<HfConfig> Read(std::string_view hf_class, std::string_view more = "") {
  BITFETCH_ASSIGN_OR_RETURN(const JsonValue json, ParseJson(Config(hf_class, more)));
  return ReadHfConfig(json);
}

std::string ErrorOf(std::string_view hf_class, std::string_view more) {
  const auto config = Read(hf_class, more);
  return config ? "" : config.error().message;
}

// A sound configuration in which one part is replaced.
std::string ErrorWith(std::string_view from, std::string_view to) {
  std::string text = Config("LlamaForCausalLM", "");
  text.replace(text.find(from), from.size(), to);
  const auto config = ReadHfConfig(*ParseJson(text));
  return config ? "" : config.error().message;
}

TEST(HfConfig, Sizes) {
  const auto config = Read("Qwen3ForCausalLM", R"("rope_theta":1000000,"rms_norm_eps":1e-06,)"
                                               R"("tie_word_embeddings":true,"hidden_act":"silu")");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->shape.architecture, &kQwen3);
  EXPECT_EQ(config->shape.layers, 4);
  EXPECT_EQ(config->shape.hidden, 2048);
  EXPECT_EQ(config->shape.ffn, 6144);
  EXPECT_EQ(config->shape.heads, 16);
  EXPECT_EQ(config->shape.kv_heads, 8);
  EXPECT_EQ(config->shape.head_dim, 128);
  EXPECT_EQ(config->shape.vocab, 151936);
  EXPECT_EQ(config->shape.context, 40960);
  EXPECT_EQ(config->shape.rope_theta, 1e6f);
  EXPECT_EQ(config->shape.rms_epsilon, 1e-6f);
  EXPECT_TRUE(config->tied);
  EXPECT_FALSE(config->is_ternary);
  EXPECT_EQ(config->mlx_group, 0);
}

TEST(HfConfig, EveryClassHasItsArchitecture) {
  EXPECT_EQ(Read("BitNetForCausalLM")->shape.architecture, &kBitNet);
  EXPECT_EQ(Read("BitnetForCausalLM")->shape.architecture, &kBitNet1BitLlm);
  EXPECT_EQ(Read("LlamaForCausalLM")->shape.architecture, &kLlama);
  EXPECT_EQ(Read("Qwen3Model")->shape.architecture, &kQwen3);
  EXPECT_EQ(Read("Gemma3ForCausalLM")->shape.architecture, &kGemma3);
  EXPECT_EQ(Read("Gemma3TextModel")->shape.architecture, &kGemma3);
  EXPECT_TRUE(Read("BitnetForCausalLM")->is_ternary);
  EXPECT_EQ(ErrorOf("GPT2LMHeadModel", ""),
            "architecture 'GPT2LMHeadModel' can't be converted: there are BitNetForCausalLM, "
            "BitnetForCausalLM, LlamaForCausalLM, Qwen3ForCausalLM, Qwen3Model, "
            "Gemma3ForCausalLM, Gemma3TextModel");
}

TEST(HfConfig, Yarn) {
  const auto config =
      Read("Qwen3ForCausalLM", R"("rope_scaling":{"rope_type":"yarn","factor":4.0,)"
                               R"("original_max_position_embeddings":16384,"beta_fast":32.0})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->shape.yarn.factor, 4);
  EXPECT_EQ(config->shape.yarn.original_context, 16384);
  const auto newer = Read("Qwen3ForCausalLM", R"("rope_parameters":{"rope_type":"yarn","factor":2,)"
                                              R"("rope_theta":5000000,"attention_factor":null})");
  ASSERT_TRUE(newer) << newer.error().message;
  EXPECT_EQ(newer->shape.yarn.factor, 2);
  EXPECT_EQ(newer->shape.yarn.original_context, 40960);
  EXPECT_EQ(newer->shape.rope_theta, 5e6f);

  const auto error_of = [](std::string_view scaling) {
    return ErrorOf("Qwen3ForCausalLM", fmt::format(R"("rope_scaling":{{{}}})", scaling));
  };
  EXPECT_EQ(error_of(R"("type":"yarn")"), "factor is missing");
  EXPECT_EQ(error_of(R"("type":"yarn","factor":0.5)"), "factor is no number from 1 to 1e+30");
  EXPECT_EQ(error_of(R"("type":"yarn","factor":4,"beta_fast":16)"),
            "beta_fast is 16: only 32 is supported");
  EXPECT_THAT(error_of(R"("type":"yarn","factor":4,"attention_factor":1)"),
              HasSubstr("attention_factor is 1: only 1.13862"));
  EXPECT_EQ(error_of(R"("type":"yarn","factor":4,"mscale":1)"),
            "mscale is there, which is not supported");
  EXPECT_EQ(error_of(R"("type":"llama3","factor":4)"),
            "RoPE scaling of type 'llama3' is not supported");
}

TEST(HfConfig, Windows) {
  auto config = Read("Gemma3TextModel", R"("sliding_window":512,"rope_theta":1000000.0)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->shape.window, 512);
  EXPECT_EQ(config->shape.window_period, 6);
  EXPECT_EQ(config->shape.window_rope_theta, 10000);
  config = Read("Gemma3TextModel", R"("sliding_window":512,"rope_parameters":{)"
                                   R"("full_attention":{"rope_theta":2000000},)"
                                   R"("sliding_attention":{"rope_theta":30000}},)"
                                   R"("layer_types":["sliding_attention","full_attention",)"
                                   R"("sliding_attention","full_attention"])");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->shape.rope_theta, 2e6f);
  EXPECT_EQ(config->shape.window_period, 2);
  EXPECT_EQ(config->shape.window_rope_theta, 30000);
  for (const char* without :
       {R"("sliding_window":null)", R"("sliding_window":512,"sliding_window_pattern":1)",
        R"("sliding_window":512,"layer_types":["full_attention","full_attention",)"
        R"("full_attention","full_attention"])"}) {
    config = Read("Gemma3TextModel", without);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->shape.window_period, 0) << without;
  }
  EXPECT_THAT(
      ErrorOf("Gemma3TextModel", R"("sliding_window":512,"layer_types":["full_attention"])"),
      HasSubstr("layer_types are not supported"));
  EXPECT_EQ(ErrorOf("Qwen3ForCausalLM", R"("use_sliding_window":true)"),
            "use_sliding_window is there, which is not supported");
  EXPECT_TRUE(Read("Qwen3ForCausalLM", R"("use_sliding_window":false,"sliding_window":4096)"));
}

TEST(HfConfig, WhatIsNotComputedIsRefused) {
  EXPECT_EQ(ErrorOf("LlamaForCausalLM", R"("hidden_act":"gelu")"),
            "hidden_act is 'gelu': only silu is supported");
  EXPECT_EQ(ErrorOf("Gemma3TextModel", R"("hidden_activation":"silu")"),
            "hidden_activation is 'silu': only gelu_pytorch_tanh is supported");
  EXPECT_EQ(ErrorOf("Gemma3TextModel", R"("final_logit_softcapping":30.0)"),
            "final_logit_softcapping is there, which is not supported");
  EXPECT_EQ(ErrorOf("Gemma3TextModel", R"("query_pre_attn_scalar":256)"),
            "query_pre_attn_scalar is 256: only 128 is supported");
  EXPECT_EQ(ErrorOf("LlamaForCausalLM", R"("partial_rotary_factor":0.5)"),
            "partial_rotary_factor is 0.5: only 1 is supported");
}

TEST(HfConfig, Quantisation) {
  auto config = Read("LlamaForCausalLM", R"("quantization_config":{"quant_method":"bitnet"})");
  EXPECT_TRUE(config->is_ternary);
  EXPECT_TRUE(config->scale_divides);
  config = Read("BitNetForCausalLM", R"("quantization_config":{"quant_method":"bitnet",)"
                                     R"("linear_class":"autobitlinear"})");
  EXPECT_FALSE(config->scale_divides);
  // MLX writes the same under both names.
  config = Read("Qwen3ForCausalLM", R"("quantization":{"group_size":128,"bits":2,"mode":"affine"},)"
                                    R"("quantization_config":{"group_size":128,"bits":2})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->mlx_group, 128);

  const auto error_of = [](std::string_view more) { return ErrorOf("LlamaForCausalLM", more); };
  EXPECT_EQ(error_of(R"("quantization_config":{"quant_method":"gptq"})"),
            "the weights are quantised by 'gptq': only BitNet's are ternary");
  EXPECT_EQ(error_of(R"("quantization_config":{"quant_method":"bitnet",)"
                     R"("modules_to_not_convert":["lm_head","mlp"]})"),
            "quantization_config leaves 'mlp' as it is: only lm_head may be");
  EXPECT_EQ(error_of(R"("quantization":{"group_size":64,"bits":4})"),
            "MLX's bits are 4: only 2 are supported");
  EXPECT_EQ(error_of(R"("quantization":{"group_size":64})"), "bits is missing");
  EXPECT_EQ(error_of(R"("quantization":{"group_size":32,"bits":2})"),
            "MLX's group_size is 32: only 64 and 128 are supported");
  EXPECT_EQ(error_of(R"("quantization":{"group_size":64,"bits":2,"lm_head":false})"),
            "MLX's quantization has lm_head, which is not supported");
  EXPECT_EQ(error_of(R"("quantization":{"group_size":64,"bits":2,"mode":"mxfp4"})"),
            "MLX's quantization has mode, which is not supported");
}

TEST(HfConfig, NumbersThatNoModelHas) {
  EXPECT_EQ(ErrorWith("architectures", "a"), "names no architecture");
  EXPECT_EQ(ErrorWith(R"("hidden_size":2048)", R"("hidden_size":1e99)"),
            "hidden_size is no number from 1 to 262144");
  EXPECT_EQ(ErrorWith(R"("hidden_size":2048,)", ""), "hidden_size is missing");
  EXPECT_EQ(ErrorWith(R"("head_dim":128)", R"("head_dim":100)"),
            "heads of 100 dimensions are not supported: wanted a multiple of 16");
  EXPECT_EQ(ErrorWith(R"("num_attention_heads":16)", R"("num_attention_heads":9)"),
            "9 heads are not a multiple of 8 KV heads");
  EXPECT_EQ(ErrorOf("LlamaForCausalLM", R"("rope_theta":-1)"),
            "rope_theta is no number from 1 to 1e+30");
  EXPECT_THAT(ErrorOf("LlamaForCausalLM", R"("rms_norm_eps":0)"), HasSubstr("rms_norm_eps"));
}

}  // namespace
}  // namespace bitfetch
