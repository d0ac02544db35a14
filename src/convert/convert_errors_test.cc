// SPDX-License-Identifier: Apache-2.0
// What can't be converted, and what is said of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "convert/test_conversion.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

TEST_F(ConvertTest, AnOrdinaryModelIsRefused) {
  TestHfFolder folder = Folder("llama", HfForm::kTraining);
  std::string& config = folder.files["config.json"];
  config = Replaced(config, R"("quantization_config")", R"("no_config")");
  EXPECT_THAT(ErrorOf(folder), HasSubstr("is not ternary: it has magnitudes from"));
  EXPECT_THAT(ErrorOf(folder), HasSubstr("give --assume-bitnet"));
  ConvertOptions options;
  options.assume_bitnet = true;
  EXPECT_TRUE(Convert(options));
  EXPECT_FALSE(Logits(out_).empty());
}

TEST_F(ConvertTest, SaysWhatTheWeightsLack) {
  const std::string up = "model.layers.1.mlp.up_proj.weight";
  const std::string norm = "model.layers.0.input_layernorm.weight";
  const TestHfFolder good = Folder("bitnet-b1.58", HfForm::kPacked);
  const auto error_with = [&](const auto& change) {
    TestHfFolder folder = good;
    change(folder);
    return ErrorOf(folder);
  };
  EXPECT_THAT(error_with([&](auto& folder) { folder.tensors.erase(up); }),
              HasSubstr("tensor " + up + " is missing"));
  EXPECT_THAT(error_with([&](auto& folder) { folder.tensors.erase(up + "_scale"); }),
              HasSubstr("has no weight_scale"));
  EXPECT_THAT(error_with([](auto& folder) {
                folder.AddFloats("model.layers.0.self_attn.q_proj.bias", "F32", {1}, {1});
              }),
              HasSubstr("q_proj.bias is not part of a model of this architecture"));
  EXPECT_THAT(error_with([&](auto& folder) {
                folder.tensors[up].shape = {256, 128};
              }),
              HasSubstr("is of shape [256, 128]: wanted 128 x 256 for 512 x 256 weights"));
  EXPECT_THAT(error_with([&](auto& folder) { folder.tensors[up].dtype = "I8"; }),
              HasSubstr("is of dtype I8"));
  EXPECT_THAT(error_with([&](auto& folder) { folder.tensors[up].data[300] = '\x30'; }),
              HasSubstr("code 3, which is no weight, in row 257, column 44"));
  for (const float scale : {0.f, -1.f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    EXPECT_THAT(
        error_with([&](auto& folder) { folder.AddFloats(up + "_scale", "F32", {1}, {scale}); }),
        HasSubstr("is damaged: a scale of"));
  }
  EXPECT_THAT(error_with([&](auto& folder) {
                folder.AddFloats(up + "_scale", "F32", {2}, {1, 1});
              }),
              HasSubstr("is no scale"));
  EXPECT_THAT(error_with([&](auto& folder) {
                folder.tensors[norm].shape = {1, 256};
              }),
              HasSubstr("is F32 [1, 256]: wanted floats [256]"));
  EXPECT_THAT(error_with([&](auto& folder) {
                folder.tensors[norm].data.replace(0, 4, std::string("\0\0\x80\x7f", 4));
              }),
              HasSubstr("tensor " + norm + " is damaged: it has inf"));
  EXPECT_THAT(error_with([&](auto& folder) {
                folder.AddFloats(up, "F32", {512, 256}, std::vector<float>(512 * 256, NAN));
              }),
              HasSubstr("values not finite"));
}

TEST_F(ConvertTest, SaysWhatGroupsLack) {
  TestModel model = HfModel("qwen3");
  model.linear = TensorType::kQ2_0;
  const std::string up = "model.layers.1.mlp.up_proj";
  const auto error_with = [&](HfForm form, const auto& change) {
    TestHfFolder folder = Folder(model, form);
    change(folder);
    return ErrorOf(folder);
  };
  EXPECT_THAT(error_with(HfForm::kThreeValues,
                         [&](auto& folder) { folder.tensors[up + ".weight"].data[1025] ^= 1; }),
              HasSubstr(up + ".weight is not ternary by group: row 2, columns 0 to 63"));
  EXPECT_THAT(error_with(HfForm::kMlx, [&](auto& folder) { folder.tensors.erase(up + ".biases"); }),
              HasSubstr(up + ".weight has no scales or no biases beside it"));
  EXPECT_THAT(error_with(HfForm::kMlx,
                         [&](auto& folder) {
                           folder.tensors[up + ".scales"].shape = {4, 512};
                         }),
              HasSubstr(up + ".scales is of shape [4, 512]: wanted 512 x 4"));
  EXPECT_THAT(
      error_with(
          HfForm::kMlx,
          [&](auto& folder) {
            folder.AddFloats(up + ".biases", "F32", {512, 4}, std::vector<float>(2048, -0.03f));
          }),
      HasSubstr(up + ".weight is not ternary by group: row 0"));
  EXPECT_THAT(error_with(HfForm::kMlx,
                         [](auto& folder) {
                           std::string& config = folder.files["config.json"];
                           config = Replaced(config, R"("quantization":)", R"("q":)");
                         }),
              HasSubstr("down_proj.biases is not part of a model of this architecture"));
  EXPECT_THAT(error_with(HfForm::kMlx,
                         [](auto& folder) {
                           std::string& config = folder.files["config.json"];
                           config = Replaced(config, R"("group_size":64)", R"("group_size":128)");
                         }),
              HasSubstr(".scales is of shape [256, 4]: wanted 256 x 2"));
}

TEST_F(ConvertTest, ScalesThatHaveNoPlace) {
  TestHfFolder folder = Folder("qwen3", HfForm::kThreeValues);
  folder.AddFloats("model.embed_tokens.weight_scale", "F32", {1}, {2});
  EXPECT_THAT(ErrorOf(folder), HasSubstr("has scales beside it, which F16 has no place for"));
  std::filesystem::remove_all(dir_.Path("folder"));
  TestModel model = HfModel("qwen3");
  model.linear = TensorType::kQ2_0;
  folder = Folder(model, HfForm::kMlx);
  folder.tensors["model.layers.0.mlp.up_proj.weight"] = {
      "F32", {512, 256}, std::string(512 * 1024, '\0')};
  EXPECT_THAT(ErrorOf(folder), HasSubstr("up_proj.weight has scales beside it, and is of floats"));
}

// What is asked for is not what the weights are.
TEST_F(ConvertTest, AnotherTypeThanTheWeights) {
  TestModel model = HfModel("qwen3");
  EXPECT_THAT(ErrorOf(Folder(model, HfForm::kPacked), {.weights = TensorType::kQ2_0, .pre = {}}),
              HasSubstr("q_proj.weight has scales beside it, which Q2_0 has no place for"));
  std::filesystem::remove_all(dir_.Path("folder"));
  EXPECT_THAT(ErrorOf(Folder(model, HfForm::kTraining), {.weights = TensorType::kQ2_0, .pre = {}}),
              HasSubstr("is not ternary by group: row 0"));
  model.linear = TensorType::kQ2_0;
  std::filesystem::remove_all(dir_.Path("folder"));
  EXPECT_THAT(
      ErrorOf(Folder(model, HfForm::kThreeValues), {.weights = TensorType::kI2_S, .pre = {}}),
      HasSubstr("is not ternary: it has magnitudes from"));
}

// config.json contradicts the files.
TEST_F(ConvertTest, SaysWhatTheConfigurationHasWrong) {
  const TestHfFolder good = Folder("llama", HfForm::kPacked);
  const auto error_with = [&](std::string_view from, std::string_view to) {
    TestHfFolder folder = good;
    folder.files["config.json"] = Replaced(folder.files["config.json"], from, to);
    return ErrorOf(folder);
  };
  EXPECT_THAT(error_with("LlamaForCausalLM", "FooForCausalLM"),
              HasSubstr("config.json: architecture 'FooForCausalLM' can't be converted"));
  EXPECT_THAT(error_with("LlamaForCausalLM", "Qwen3ForCausalLM"),
              HasSubstr("tensor model.layers.0.self_attn.q_norm.weight is missing"));
  EXPECT_THAT(error_with(R"("num_hidden_layers":2)", R"("num_hidden_layers":3)"),
              HasSubstr("tensor model.layers.2.input_layernorm.weight is missing"));
  EXPECT_THAT(error_with(R"("num_hidden_layers":2)", R"("num_hidden_layers":1)"),
              HasSubstr("tensor model.layers.1.input_layernorm.weight is not part of a model"));
  EXPECT_THAT(error_with(R"("intermediate_size":512)", R"("intermediate_size":513)"),
              HasSubstr("is of shape"));
  EXPECT_THAT(error_with(R"("vocab_size":512)", R"("vocab_size":513)"),
              HasSubstr("embed_tokens.weight is F16 [512, 256]: wanted floats [513, 256]"));
  EXPECT_THAT(error_with("{", "["), HasSubstr("config.json: is no JSON"));
}

TEST_F(ConvertTest, ATemplateIsNoBook) {
  TestHfFolder folder = Folder("llama", HfForm::kPacked);
  const std::string book((size_t{1} << 20) + 1, 'x');
  folder.files["tokenizer_config.json"] = fmt::format(R"({{"chat_template":"{}"}})", book);
  EXPECT_THAT(ErrorOf(folder), HasSubstr("tokenizer_config.json: its template is of 1048577 bytes: "
                                         "only 1048576 are read"));
  folder.files["chat_template.jinja"] = book;
  EXPECT_THAT(ErrorOf(folder), HasSubstr("chat_template.jinja: is of 1048577 bytes"));
}

TEST_F(ConvertTest, SaysWhatIsMissing) {
  TestHfFolder folder = Folder("llama", HfForm::kPacked);
  folder.files["tokenizer.json"] = "{}";
  EXPECT_THAT(ErrorOf(folder), HasSubstr("tokenizer.json: there is no model"));
  folder.files.erase("tokenizer.json");
  std::filesystem::remove(folder.path() + "/tokenizer.json");
  EXPECT_THAT(ErrorOf(folder), HasSubstr("has no tokenizer.json and no tokenizer.model"));
  folder.files["tokenizer.model"] = "x";
  EXPECT_THAT(ErrorOf(folder),
              HasSubstr("tokenizer.model: is cut short or no SentencePiece model"));
  std::filesystem::resize_file(folder.path() + "/tokenizer.model", (size_t{64} << 20) + 1);
  EXPECT_THAT(Convert().error().message,
              HasSubstr("tokenizer.model: is of 67108865 bytes: only 67108864 are read"));
  std::filesystem::remove(folder.path() + "/config.json");
  EXPECT_THAT(Convert().error().message, HasSubstr("has no config.json"));
}

}  // namespace
}  // namespace bitfetch
