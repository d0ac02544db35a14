// SPDX-License-Identifier: Apache-2.0
#include "model/model_config_effects.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "convert/gguf_writer.h"

namespace bitfetch {
namespace {

// What is said of a file with nothing but `llama.KEY`, or `bitnet-b1.58.KEY`, of a model with heads
// of 64 dimensions and a context of 4096; "" if nothing is.
class EffectsTest : public testing::Test {
 protected:
  template <class T>
  std::string With(const std::string& key, const T& value) {
    GgufWriter writer;
    writer.Add<T>(architecture_ + "." + key, value);
    return ErrorOf(writer);
  }

  std::string ErrorOf(GgufWriter& writer) {
    const TempDir dir;
    EXPECT_TRUE(writer.Open(dir.Path("m")));
    EXPECT_TRUE(writer.Commit());
    const auto gguf = GgufReader::Open(dir.Path("m"));
    ModelConfig config{};
    config.head_dim = 64;
    config.context = 4096;
    config.architecture = FindArchitecture(architecture_);
    const Status status = CheckEffects(*gguf, architecture_, config);
    if (status) return "";
    const std::string start = dir.Path("m: metadata key ");
    EXPECT_EQ(status.error().message.substr(0, start.size()), start);
    return status.error().message.substr(start.size());
  }

  std::string architecture_ = "llama";
};

TEST_F(EffectsTest, WhatChangesTheResultIsRefused) {
  EXPECT_EQ(With<std::string>("hidden_activation", "gelu"),
            "llama.hidden_activation is 'gelu': only 'silu' is supported");
  EXPECT_EQ(With<float>("attention.scale", 0.25f),
            "llama.attention.scale is 0.25: only 0.125 or 0 is supported");
  EXPECT_EQ(With<float>("logit_scale", 0.5f), "llama.logit_scale is 0.5: only 1 or 0 is supported");
  EXPECT_EQ(With<float>("attn_logit_softcapping", 50),
            "llama.attn_logit_softcapping is 50: only 0 is supported");
  EXPECT_EQ(With<float>("final_logit_softcapping", 1),
            "llama.final_logit_softcapping is 1: only 0 is supported");
  EXPECT_EQ(With<bool>("attention.causal", false),
            "llama.attention.causal is false: only true is supported");
  EXPECT_EQ(With<float>("attention.clamp_kqv", 8),
            "llama.attention.clamp_kqv is 8: only 0 is supported");
  EXPECT_EQ(With<float>("attention.max_alibi_bias", 8),
            "llama.attention.max_alibi_bias is 8: only 0 is supported");
  EXPECT_EQ(With<float>("residual_scale", 0.22f),
            "llama.residual_scale is 0.2199999988079071: only 1 or 0 is supported");
  EXPECT_EQ(With<float>("embedding_scale", 12),
            "llama.embedding_scale is 12: only 1 or 0 is supported");
  EXPECT_EQ(With<uint32_t>("expert_count", 8), "llama.expert_count is 8: only 0 is supported");
  EXPECT_EQ(With<uint32_t>("attention.value_length", 32),
            "llama.attention.value_length is 32: only 64 is supported");
  EXPECT_EQ(With<bool>("use_parallel_residual", true),
            "llama.use_parallel_residual is true: only false is supported");
  EXPECT_EQ(With<float>("logit_scale", std::numeric_limits<float>::quiet_NaN()),
            "llama.logit_scale is nan: only 1 or 0 is supported");
  EXPECT_EQ(With<float>("logit_scale", std::numeric_limits<float>::infinity()),
            "llama.logit_scale is inf: only 1 or 0 is supported");
}

TEST_F(EffectsTest, RopeThatIsNotComputedIsRefused) {
  EXPECT_EQ(With<uint32_t>("rope.dimension_count", 32),
            "llama.rope.dimension_count is 32: only 64 is supported");
  EXPECT_EQ(With<std::string>("rope.scaling.type", "longrope"),
            "llama.rope.scaling.type is 'longrope', which is not supported");
  EXPECT_EQ(With<float>("rope.scaling.yarn_beta_fast", 16),
            "llama.rope.scaling.yarn_beta_fast is 16: only 32 is supported");
  EXPECT_EQ(With<float>("rope.scaling.yarn_ext_factor", 1),
            "llama.rope.scaling.yarn_ext_factor is 1: only 0 is supported");
  EXPECT_EQ(With<float>("rope.scaling.factor", 2),
            "llama.rope.scaling.factor is 2: only 1 or 0 is supported");
  EXPECT_EQ(With<float>("rope.scale_linear", 4),
            "llama.rope.scale_linear is 4: only 1 or 0 is supported");
  EXPECT_EQ(With<float>("rope.scaling.attn_factor", 1.2f).substr(0, 32),
            "llama.rope.scaling.attn_factor i");
  for (const auto& [type, factor] :
       {std::pair("linear", 1.f), std::pair("none", 4.f), std::pair("yarn", 4.f)}) {
    GgufWriter writer;
    writer.Add<std::string>("llama.rope.scaling.type", type);
    writer.Add<float>("llama.rope.scaling.factor", factor);
    EXPECT_EQ(ErrorOf(writer), "") << type;
  }
}

TEST_F(EffectsTest, WhatChangesNothingIsAccepted) {
  GgufWriter writer;
  writer.Add<std::string>("llama.hidden_activation", "silu");
  writer.Add<float>("llama.attention.scale", 1 / std::sqrt(64.f));
  writer.Add<float>("llama.logit_scale", 1);
  writer.Add<uint32_t>("llama.embedding_scale", 1);  // of another type than is usual
  writer.Add<float>("llama.residual_scale", 0);
  writer.Add<float>("llama.attn_logit_softcapping", 0);
  writer.Add<bool>("llama.attention.causal", true);
  writer.Add<float>("llama.attention.clamp_kqv", 0);
  writer.Add<uint32_t>("llama.expert_count", 0);
  writer.Add<uint32_t>("llama.rope.dimension_count", 64);
  EXPECT_EQ(ErrorOf(writer), "");
}

TEST_F(EffectsTest, RotatedActivationsAreRefused) {
  GgufWriter writer;
  writer.Add<uint32_t>("prism.hadamard.version", 1);
  EXPECT_EQ(ErrorOf(writer),
            "prism.hadamard.version asks for a rotation of activations, which is not supported");
}

TEST_F(EffectsTest, TheActivationIsThatOfTheArchitecture) {
  architecture_ = "bitnet-b1.58";
  EXPECT_EQ(With<std::string>("hidden_activation", "relu2"), "");
  EXPECT_EQ(With<std::string>("hidden_activation", "silu"),
            "bitnet-b1.58.hidden_activation is 'silu': only 'relu2' is supported");
}

TEST_F(EffectsTest, AValueOfAnotherKindIsAnError) {
  EXPECT_EQ(With<std::string>("logit_scale", "1"),
            "llama.logit_scale is of type string: wanted a float");
  EXPECT_EQ(With<uint32_t>("attention.causal", 1),
            "llama.attention.causal is of type uint32: wanted a bool");
}

// What is said of a context of 1024 tokens in a file with that window.
std::string OfContext(const std::function<void(GgufWriter&, const std::string& key)>& add) {
  const TempDir dir;
  GgufWriter writer;
  writer.Add<std::string>("general.architecture", "llama");
  add(writer, "llama.attention.sliding_window");
  EXPECT_TRUE(writer.Open(dir.Path("m")));
  EXPECT_TRUE(writer.Commit());
  const Status status = CheckContext(*GgufReader::Open(dir.Path("m")), 1024);
  return status ? "" : status.error().message.substr(dir.Path("m: ").size());
}

std::string InAWindowOf(int64_t window) {
  return OfContext(
      [&](GgufWriter& writer, const std::string& key) { writer.Add<int64_t>(key, window); });
}

TEST(ContextTest, MayBeAsLongAsTheWindow) {
  EXPECT_EQ(OfContext([](GgufWriter&, const std::string&) {}), "");
  EXPECT_EQ(InAWindowOf(0), "");
  EXPECT_EQ(InAWindowOf(1024), "");
  EXPECT_EQ(InAWindowOf(4096), "");
  EXPECT_EQ(InAWindowOf(1023),
            "metadata key llama.attention.sliding_window is 1023, and a context of 1024 tokens is "
            "longer, which is not supported: choose a --ctx of at most 1023");
  EXPECT_EQ(InAWindowOf(-1), "metadata key llama.attention.sliding_window is -1: wanted 0 or more");
}

TEST(ContextTest, AWindowForEachLayerIsNotKnown) {
  EXPECT_EQ(OfContext([](GgufWriter& writer, const std::string& key) {
              writer.AddArray<int32_t>(key, std::vector<int32_t>{4096, 0});
            }),
            "metadata key llama.attention.sliding_window is an array of int32: wanted an integer");
}

}  // namespace
}  // namespace bitfetch
