// SPDX-License-Identifier: Apache-2.0
#include "model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/temp_dir.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

class ModelTest : public testing::Test {
 protected:
  Result<Model> Load(const TestModel& shape) {
    EXPECT_TRUE(WriteTestModel(path_, shape));
    return Reload();
  }
  Result<Model> Reload() { return Model::Load(path_, /*mmap=*/false, *pool_, {}); }

  // Writes over the data of a tensor of the file.
  void Patch(const Model& model, const std::string& name, std::string_view bytes, int64_t at = 0) {
    const GgufReader& file = model.file();
    const auto offset = file.FindTensor(name)->data.data() - file.bytes().data();
    std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary)
        .seekp(offset + at)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  TempDir dir_;
  std::string path_ = dir_.Path("m.gguf");
  std::unique_ptr<ThreadPool> pool_ = ThreadPool::Create(2).value();
};

TEST_F(ModelTest, APlanHasTheNormsOfItsArchitecture) {
  const auto bitnet = Load({.architecture = "bitnet-b1.58"});
  ASSERT_TRUE(bitnet) << bitnet.error().message;
  const LayerPlan& of_bitnet = bitnet->layers()[1];
  EXPECT_EQ(of_bitnet.attn_output.norm.size(), 256u);
  EXPECT_EQ(of_bitnet.ffn_down.norm.size(), 512u);
  EXPECT_TRUE(of_bitnet.attn_q.norm.empty());
  EXPECT_TRUE(of_bitnet.q_norm.empty());
  EXPECT_EQ(of_bitnet.activation, Activation::kSquaredRelu);

  const auto gemma = Load({.architecture = "gemma3", .input_norms = true});
  ASSERT_TRUE(gemma) << gemma.error().message;
  const LayerPlan& of_gemma = gemma->layers()[1];
  for (const Projection* projection : of_gemma.projections()) {
    EXPECT_EQ(static_cast<int64_t>(projection->norm.size()),
              std::get<TernaryMatrix>(projection->weights).cols);
  }
  EXPECT_EQ(of_gemma.k_norm.size(), 64u);
  EXPECT_EQ(of_gemma.post_attn_norm.size(), 256u);
  EXPECT_EQ(of_gemma.post_ffn_norm.size(), 256u);
  EXPECT_EQ(of_gemma.activation, Activation::kGelu);
}

TEST_F(ModelTest, LayersWithAWindowTurnByAnotherTable) {
  const auto model = Load({.architecture = "gemma3", .layers = 4, .window = 32});
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->ropes().size(), 2u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(model->layers()[i].rope, i % 2 == 0 ? 1u : 0u) << i;
  EXPECT_EQ(Load({.architecture = "gemma3"})->ropes().size(), 1u);
}

TEST_F(ModelTest, AScaleInATensorOfItsOwnMultipliesThatOfTheMatrix) {
  auto model = Load({.architecture = "bitnet", .scales = true});
  ASSERT_TRUE(model) << model.error().message;
  float scale;
  std::memcpy(&scale, model->file().FindTensor("blk.1.ffn_up.scale")->data.data(), sizeof scale);
  EXPECT_NE(scale, 1);
  EXPECT_EQ(std::get<TernaryMatrix>(model->layers()[1].ffn_up.weights).scale, 0.0625f * scale);

  for (const float bad : {-1.f, std::numeric_limits<float>::infinity()}) {
    Patch(*model, "blk.1.ffn_up.scale", {reinterpret_cast<const char*>(&bad), sizeof bad});
    const auto damaged = Reload();
    ASSERT_FALSE(damaged);
    EXPECT_THAT(damaged.error().message, testing::HasSubstr("tensor blk.1.ffn_up."));
  }
}

TEST_F(ModelTest, WhetherItRunsIsSeenWithoutItsWeights) {
  const auto check = [&](const TestModel& shape) {
    EXPECT_TRUE(WriteTestModel(path_, shape));
    auto file = GgufReader::Open(path_);
    const Status status = Model::Check(*std::move(file));
    return status ? "" : status.error().message.substr(path_.size());
  };
  EXPECT_EQ(check({}), "");
  EXPECT_EQ(check({.linear = TensorType::kF16}),
            ": tensor blk.0.attn_q.weight is F16: expected a ternary type (I2_S, TQ1_0, TQ2_0 or "
            "Q2_0)");
}

// A file of another architecture in the same type would be no help.
TEST_F(ModelTest, AnArchitectureIsRefusedBeforeATypeIs) {
  ASSERT_TRUE(Load({.architecture = "qwen3", .linear = TensorType::kPQ2_0}));
  std::ifstream file(path_, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (size_t at = 0; (at = bytes.find(from, at)) != std::string::npos; at += to.size()) {
      bytes.replace(at, from.size(), to);
    }
    std::ofstream(path_, std::ios::binary) << bytes;
  };
  replace(std::string("\x8e\0\0\0", 4), std::string("\x8f\0\0\0", 4));
  EXPECT_THAT(Reload().error().message, testing::HasSubstr("of type 143 (PTQ1_0, "));
  replace("qwen3", "qwenX");
  EXPECT_THAT(Reload().error().message,
              testing::HasSubstr("architecture 'qwenX' is not supported: there are "));
}

TEST_F(ModelTest, MatricesOfSeveralScalesAreSeenToo) {
  const auto model = Load({.linear = TensorType::kTQ2_0});
  ASSERT_TRUE(model) << model.error().message;
  Patch(*model, "blk.0.attn_q.weight", std::string("\x00\x38", 2), 64);  // its first scale: 0.5
  const Status status = Model::Check(*GgufReader::Open(path_));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            path_ +
                ": tensor blk.0.attn_q.weight has different scales (0.5 and 0.0625), as "
                "TriLM's do: only one scale for a whole tensor is supported");
}

TEST_F(ModelTest, WhatAnArchitectureDoesNotHaveIsRefused) {
  const auto model = Load({.architecture = "llama", .input_norms = true});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().message,
            path_ +
                ": tensor blk.0.attn_q_norm_in.weight is not part of a model of this "
                "architecture");
}

}  // namespace
}  // namespace bitfetch
