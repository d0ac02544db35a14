// SPDX-License-Identifier: Apache-2.0
#include "convert/convert.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/temp_dir.h"
#include "convert/safetensors.h"
#include "convert/test_hf_folder.h"
#include "engine/read_tokenizer.h"
#include "engine/session.h"
#include "model/model_config.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

SynthShape ShapeOf(const std::string& architecture) {
  SynthShape shape = SynthShapeNamed("tiny").value();
  shape.architecture = architecture;
  shape.own_output = architecture == "llama";
  return shape;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

float ScaleOf(const GgufTensor& tensor) {
  float scale;
  std::memcpy(&scale, tensor.data.data() + tensor.elements / 4, sizeof scale);
  return scale;
}

class ConvertTest : public ::testing::Test {
 protected:
  TestHfFolder Folder(const std::string& architecture, HfForm form) {
    return TestHfFolder(dir_.Path("folder"), ShapeOf(architecture), form);
  }

  Status Convert(const ConvertOptions& options = {}) {
    return ConvertModel(dir_.Path("folder"), out_, options, {});
  }
  // Of a folder that can't be converted; nothing is left of the attempt.
  std::string ErrorOf(const TestHfFolder& folder, const ConvertOptions& options = {}) {
    folder.Write();
    const Status status = Convert(options);
    EXPECT_TRUE(std::filesystem::is_empty(dir_.Path("out")));
    if (status) return "";
    EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
    EXPECT_THAT(status.error().message, HasSubstr(folder.path()));
    return status.error().message;
  }

  static std::vector<float> Logits(const std::string& model) {
    EngineOptions options{.threads = 1};
    options.prefetch.mode = PrefetchSetting::Mode::kOff;
    auto session = Session::Open(model, options);
    if (!session) {
      ADD_FAILURE() << session.error().message;
      return {};
    }
    EXPECT_TRUE((*session)->Append(std::vector<int>{1, 20, 3, 20, 111}));
    std::vector<float> logits;
    const auto by_id = (*session)->Logits().value();
    for (const Logit& logit : by_id) logits.push_back(logit.value);
    return logits;
  }

  TempDir dir_;
  std::string out_ = (std::filesystem::create_directory(dir_.Path("out")), dir_.Path("out/m.gguf"));
};

class ConvertRoundTrip : public ConvertTest,
                         public ::testing::WithParamInterface<std::pair<const char*, HfForm>> {};

INSTANTIATE_TEST_SUITE_P(Forms, ConvertRoundTrip,
                         ::testing::Values(std::pair("bitnet-b1.58", HfForm::kPacked),
                                           std::pair("bitnet-b1.58", HfForm::kThreeValues),
                                           std::pair("llama", HfForm::kPacked),
                                           std::pair("llama", HfForm::kPackedDivided),
                                           std::pair("llama", HfForm::kThreeValues)));

// The very tensors, metadata and tokens that synth wrote, and so the same logits.
TEST_P(ConvertRoundTrip, GivesTheModelThatSynthWrote) {
  const auto [architecture, form] = GetParam();
  const TestHfFolder folder = Folder(architecture, form);
  folder.Write();
  const Status status = Convert();
  ASSERT_TRUE(status) << status.error().message;
  const GgufReader expected = *GgufReader::Open(folder.gguf_path());
  const auto got = GgufReader::Open(out_);
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->tensors().size(), expected.tensors().size());
  for (const GgufTensor& tensor : expected.tensors()) {
    const GgufTensor* same = got->FindTensor(tensor.name);
    ASSERT_NE(same, nullptr) << tensor.name;
    EXPECT_EQ(same->type, tensor.type) << tensor.name;
    EXPECT_EQ(same->shape, tensor.shape) << tensor.name;
    const bool rounded = form == HfForm::kPackedDivided && IsTernary(tensor.type);
    const size_t bytes = rounded ? static_cast<size_t>(tensor.elements / 4) : tensor.data.size();
    EXPECT_TRUE(std::ranges::equal(same->data.first(bytes), tensor.data.first(bytes)))
        << tensor.name;
    if (rounded) {
      EXPECT_FLOAT_EQ(ScaleOf(*same), ScaleOf(tensor)) << tensor.name;
    }
  }
  const ModelConfig config = *ReadModelConfig(*got), same = *ReadModelConfig(expected);
  EXPECT_EQ(config.name, "folder");
  EXPECT_EQ(config.architecture, same.architecture);
  EXPECT_EQ(config.layers, same.layers);
  EXPECT_EQ(config.head_dim, same.head_dim);
  EXPECT_EQ(config.context, same.context);
  EXPECT_EQ(config.rope_theta, same.rope_theta);
  EXPECT_EQ(config.rms_epsilon, same.rms_epsilon);
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    EXPECT_EQ(*got->GetArray<std::string_view>(key), *expected.GetArray<std::string_view>(key));
  }
  EXPECT_EQ(*got->GetArray<int64_t>("tokenizer.ggml.token_type"),
            *expected.GetArray<int64_t>("tokenizer.ggml.token_type"));
  const Tokenizer tokenizer = *ReadTokenizer(*got), from = *ReadTokenizer(expected);
  EXPECT_EQ(tokenizer.bos(), from.bos());
  EXPECT_EQ(tokenizer.eos(), from.eos());
  EXPECT_EQ(tokenizer.add_bos(), from.add_bos());
  if (form != HfForm::kPackedDivided) {
    EXPECT_EQ(Logits(out_), Logits(folder.gguf_path()));
  }
}

TEST_F(ConvertTest, ReadsShards) {
  TestHfFolder folder = Folder("bitnet-b1.58", HfForm::kPacked);
  folder.Write(3);
  ASSERT_TRUE(Convert());
  EXPECT_EQ(Logits(out_), Logits(folder.gguf_path()));
  ASSERT_TRUE(std::filesystem::remove(folder.path() + "/model-00002-of-00003.safetensors"));
  EXPECT_THAT(Convert().error().message,
              HasSubstr("the shard model-00002-of-00003.safetensors is missing, one of 3"));
}

TEST_F(ConvertTest, RoundsWhatAModelWasTrainedWith) {
  TestHfFolder folder = Folder("llama", HfForm::kTraining);
  folder.Write();
  ASSERT_TRUE(Convert());
  const GgufReader expected = *GgufReader::Open(folder.gguf_path());
  const GgufReader got = *GgufReader::Open(out_);
  const GgufTensor* tensor = got.FindTensor("blk.1.ffn_up.weight");
  const GgufTensor* from = expected.FindTensor("blk.1.ffn_up.weight");
  const auto codes = static_cast<size_t>(tensor->elements / 4);
  EXPECT_TRUE(std::ranges::equal(tensor->data.first(codes), from->data.first(codes)));
  const std::string& data = folder.tensors.at("model.layers.1.mlp.up_proj.weight").data;
  double sum = 0;
  for (size_t i = 0; i < data.size(); i += sizeof(float)) {
    float weight;
    std::memcpy(&weight, data.data() + i, sizeof weight);
    sum += std::abs(static_cast<double>(weight));
  }
  const double mean = sum / static_cast<double>(tensor->elements);
  EXPECT_FLOAT_EQ(ScaleOf(*tensor), static_cast<float>(mean));
}

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

TEST_F(ConvertTest, TheHeadIsTheEmbeddingWhereTied) {
  TestHfFolder folder = Folder("llama", HfForm::kPacked);
  std::string& config = folder.files["config.json"];
  config = Replaced(config, R"("tie_word_embeddings":false)", R"("tie_word_embeddings":true)");
  folder.Write();
  ASSERT_TRUE(Convert());
  EXPECT_EQ(GgufReader::Open(out_)->FindTensor("output.weight"), nullptr);
}

TEST_F(ConvertTest, TakesWhatElseTheFolderSays) {
  TestHfFolder folder = Folder("bitnet-b1.58", HfForm::kPacked);
  folder.files["tokenizer_config.json"] =
      R"({"chat_template":[{"name":"tools","template":"x"},{"name":"default","template":"{{ y }}"}]})";
  folder.AddFloats("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {1}, {1});
  folder.Write();
  const Status status = Convert();
  ASSERT_TRUE(status) << status.error().message;
  GgufReader got = *GgufReader::Open(out_);
  EXPECT_EQ(*got.Get<std::string_view>("tokenizer.chat_template"), "{{ y }}");
  EXPECT_EQ(*got.Get<int64_t>("tokenizer.ggml.eos_token_id"), 300) << "config.json's first";
  folder.files["chat_template.jinja"] = "{{ z }}";
  folder.Write();
  ASSERT_TRUE(Convert());
  got = *GgufReader::Open(out_);
  EXPECT_EQ(*got.Get<std::string_view>("tokenizer.chat_template"), "{{ z }}");
  folder.files["chat_template.jinja"] = std::string((1 << 20) + 1, ' ');
  folder.Write();
  EXPECT_THAT(Convert().error().message, HasSubstr("chat_template.jinja: is of 1048577 bytes"));
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
              HasSubstr("q_proj.bias is not part of a model of architecture BitNetForCausalLM"));
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
              HasSubstr("is BF16 [1, 256]: wanted floats [256]"));
  EXPECT_THAT(error_with([&](auto& folder) {
                folder.tensors[norm].data[1] = '\x7f';
                folder.tensors[norm].data[0] = '\x80';
              }),
              HasSubstr("tensor " + norm + " is damaged: it has inf"));
  EXPECT_THAT(error_with([&](auto& folder) {
                folder.AddFloats(up, "F32", {512, 256}, std::vector<float>(512 * 256, NAN));
              }),
              HasSubstr("values not finite"));
}

TEST_F(ConvertTest, SaysWhatTheConfigurationLacks) {
  const TestHfFolder good = Folder("llama", HfForm::kPacked);
  const auto error_with = [&](std::string_view from, std::string_view to) {
    TestHfFolder folder = good;
    folder.files["config.json"] = Replaced(folder.files["config.json"], from, to);
    return ErrorOf(folder);
  };
  EXPECT_THAT(error_with("LlamaForCausalLM", "FooForCausalLM"),
              HasSubstr("architecture 'FooForCausalLM' can't be converted yet: only "
                        "BitNetForCausalLM, LlamaForCausalLM"));
  EXPECT_THAT(error_with("architectures", "a"), HasSubstr("names no architecture"));
  EXPECT_THAT(error_with(R"("quant_method":"bitnet")", R"("quant_method":"gptq")"),
              HasSubstr("quantised by 'gptq'"));
  EXPECT_THAT(error_with(R"("quant_method":)",
                         R"("modules_to_not_convert":["lm_head","mlp"],"quant_method":)"),
              HasSubstr("leaves 'mlp' as it is"));
  EXPECT_THAT(error_with(R"("quantization_config")", R"("quantization")"), HasSubstr("MLX"));
  EXPECT_THAT(error_with(R"("silu")", R"("gelu")"), HasSubstr("hidden_act is 'gelu'"));
  EXPECT_THAT(error_with(R"("rope_scaling":null)", R"("rope_scaling":{"type":"yarn"})"),
              HasSubstr("RoPE scaling of type 'yarn'"));
  EXPECT_THAT(error_with(R"("rope_theta":10000.0)", R"("rope_theta":-1)"),
              HasSubstr("rope_theta is no positive number"));
  EXPECT_THAT(error_with(R"("hidden_size":256)", R"("hidden_size":1e99)"),
              HasSubstr("hidden_size is no number from 1 to 262144"));
  EXPECT_THAT(error_with(R"("hidden_size":256,)", ""), HasSubstr("hidden_size is missing"));
  EXPECT_THAT(error_with(R"("head_dim":64)", R"("head_dim":100)"), HasSubstr("multiple of 16"));
  EXPECT_THAT(error_with(R"("num_attention_heads":4)", R"("num_attention_heads":3)"),
              HasSubstr("3 heads are no multiple of 2 KV heads"));
  EXPECT_THAT(error_with(R"("intermediate_size":512)", R"("intermediate_size":513)"),
              HasSubstr("is of shape"));
  EXPECT_THAT(error_with("{", "["), HasSubstr("config.json: is no JSON"));
}

TEST_F(ConvertTest, SaysWhatIsMissing) {
  TestHfFolder folder = Folder("llama", HfForm::kPacked);
  folder.files["tokenizer.json"] = "{}";
  EXPECT_THAT(ErrorOf(folder), HasSubstr("tokenizer.json: there is no model"));
  folder.files.erase("tokenizer.json");
  std::filesystem::remove(folder.path() + "/tokenizer.json");
  EXPECT_THAT(ErrorOf(folder), HasSubstr("has no tokenizer.json"));
  folder.files["tokenizer.model"] = "x";
  EXPECT_THAT(ErrorOf(folder), HasSubstr("SentencePiece's tokenizer.model is not read yet"));
  std::filesystem::remove(folder.path() + "/config.json");
  EXPECT_THAT(Convert().error().message, HasSubstr("has no config.json"));
}

TEST_F(ConvertTest, ReplacesAModelAndNothingElse) {
  TestHfFolder folder = Folder("llama", HfForm::kPacked);
  folder.Write();
  ASSERT_TRUE(WriteFile(out_, "GGUF, an older one"));
  ASSERT_TRUE(Convert());
  EXPECT_TRUE(GgufReader::Open(out_));
  ASSERT_TRUE(WriteFile(out_, "a text"));
  EXPECT_THAT(Convert().error().message, HasSubstr("is in the way"));
  const std::string weights = folder.path() + "/model.safetensors";
  EXPECT_THAT(ConvertModel(folder.path(), weights, {}, {}).error().message,
              HasSubstr("is in the way"));
  EXPECT_TRUE(Safetensors::OpenFile(weights));
  EXPECT_THAT(ConvertModel(folder.path(), dir_.path(), {}, {}).error().message,
              HasSubstr("is a directory"));
}

TEST_F(ConvertTest, ProgressReachesTheEnd) {
  Folder("llama", HfForm::kPacked).Write();
  int64_t last = 0, all = 0;
  const auto progress = [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    last = done;
    all = total;
  };
  ASSERT_TRUE(ConvertModel(dir_.Path("folder"), out_, {}, progress));
  EXPECT_EQ(last, all);
  EXPECT_GT(all, 0);
}

}  // namespace
}  // namespace bitfetch
