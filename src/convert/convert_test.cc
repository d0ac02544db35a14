// SPDX-License-Identifier: Apache-2.0
#include "convert/convert.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "convert/safetensors.h"
#include "convert/test_conversion.h"
#include "convert/test_sentencepiece_model.h"
#include "engine/read_tokenizer.h"
#include "model/model_config.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

float ScaleOf(const GgufTensor& tensor) {
  float scale;
  std::memcpy(&scale, tensor.data.data() + tensor.elements / 4, sizeof scale);
  return scale;
}

struct RoundTrip {
  std::string name;
  TestModel model;
  HfForm form;
};

std::vector<RoundTrip> RoundTrips() {
  std::vector<RoundTrip> trips;
  const auto add = [&](const char* name, HfForm form, TestModel model) {
    trips.push_back({name, model, form});
  };
  TestModel bitnet = HfModel("bitnet-b1.58"), llama = HfModel("llama"), qwen3 = HfModel("qwen3"),
            gemma3 = HfModel("gemma3");
  add("BitNetPacked", HfForm::kPacked, bitnet);
  add("BitNetThreeValues", HfForm::kThreeValues, bitnet);
  add("BitNetOf1BitLlm", HfForm::kThreeValues, HfModel("bitnet"));
  llama.own_output = true;
  add("LlamaPacked", HfForm::kPacked, llama);
  add("LlamaPackedDivided", HfForm::kPackedDivided, llama);
  add("LlamaThreeValues", HfForm::kThreeValues, llama);
  llama.linear = TensorType::kQ2_0;
  add("LlamaByGroup", HfForm::kThreeValues, llama);
  add("Qwen3", HfForm::kThreeValues, qwen3);
  qwen3.linear = TensorType::kQ2_0;
  qwen3.yarn_factor = 4;
  add("Qwen3ByGroupWithYarn", HfForm::kThreeValues, qwen3);
  qwen3.embedding = TensorType::kQ2_0;
  add("Qwen3ByGroupAndEmbedding", HfForm::kThreeValues, qwen3);
  qwen3.own_output = true;
  add("Qwen3ByGroupAndHead", HfForm::kThreeValues, qwen3);
  add("Qwen3OfMlx", HfForm::kMlx, qwen3);
  qwen3 = HfModel("qwen3");
  qwen3.input_norms = true;
  add("Qwen3WithInputNorms", HfForm::kThreeValues, qwen3);
  add("Gemma3", HfForm::kThreeValues, gemma3);
  gemma3.window = gemma3.context;
  add("Gemma3WithWindows", HfForm::kThreeValues, gemma3);
  gemma3.window = 0;
  gemma3.input_norms = true;
  add("Gemma3WithInputNorms", HfForm::kThreeValues, gemma3);
  return trips;
}

class ConvertRoundTrip : public ConvertTest, public ::testing::WithParamInterface<RoundTrip> {};

INSTANTIATE_TEST_SUITE_P(Forms, ConvertRoundTrip, ::testing::ValuesIn(RoundTrips()),
                         [](const auto& trip) { return trip.param.name; });

std::vector<float> Floats(const GgufTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements));
  DequantizeRow(tensor.type, tensor.data.data(), tensor.elements, values.data());
  return values;
}

// The very tensors, metadata and tokens of the model, and so the same logits.
TEST_P(ConvertRoundTrip, GivesTheModelOfTheFolder) {
  const auto& [name, model, form] = GetParam();
  const TestHfFolder folder = Folder(model, form);
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
    EXPECT_EQ(same->shape, tensor.shape) << tensor.name;
    if (tensor.rows() == 1) {
      EXPECT_EQ(same->type, TensorType::kF32) << tensor.name;
      EXPECT_EQ(Floats(*same), Floats(tensor)) << tensor.name;
      continue;
    }
    EXPECT_EQ(same->type, tensor.type) << tensor.name;
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
  EXPECT_EQ(config.yarn.factor, same.yarn.factor);
  EXPECT_EQ(config.yarn.original_context, same.yarn.original_context);
  EXPECT_EQ(config.window, same.window);
  EXPECT_EQ(config.window_period, same.window_period);
  EXPECT_EQ(config.window_rope_theta, same.window_rope_theta);
  EXPECT_EQ(config.rms_epsilon, same.rms_epsilon);
  EXPECT_EQ(config.input_norms, same.input_norms);
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

// Groups of 128 become two of 64 each.
TEST_F(ConvertTest, GroupsOf128) {
  for (const HfForm form : {HfForm::kThreeValues, HfForm::kMlx}) {
    TestModel model = HfModel("qwen3");
    model.linear = model.embedding = TensorType::kPQ2_0;
    const TestHfFolder folder = Folder(model, form);
    folder.Write();
    ASSERT_TRUE(Convert());
    const GgufReader expected = *GgufReader::Open(folder.gguf_path());
    const GgufReader got = *GgufReader::Open(out_);
    for (const char* name : {"token_embd.weight", "blk.1.attn_q.weight", "blk.0.ffn_down.weight"}) {
      EXPECT_EQ(got.FindTensor(name)->type, TensorType::kQ2_0) << name;
      EXPECT_EQ(Floats(*got.FindTensor(name)), Floats(*expected.FindTensor(name))) << name;
    }
    EXPECT_EQ(*got.Get<int64_t>("general.file_type"), 41);
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

// Nor does anything else say what texts begin with.
TEST_F(ConvertTest, WithoutTokenizerConfigBosIsThatOfTheModel) {
  TestHfFolder folder = Folder("bitnet-b1.58", HfForm::kPacked);
  folder.files.erase("tokenizer_config.json");
  std::string& tokenizer = folder.files["tokenizer.json"];
  tokenizer = Replaced(tokenizer, R"("single")", R"("pair")");
  const auto convert = [&] {
    folder.Write();
    const Status status = Convert();
    EXPECT_TRUE(status) << status.error().message;
    return *ReadTokenizer(*GgufReader::Open(out_));
  };
  EXPECT_EQ(convert().bos(), -1);
  std::string& config = folder.files["config.json"];
  config = Replaced(config, R"("eos_token_id")", R"("bos_token_id":299,"eos_token_id")");
  const Tokenizer with_bos = convert();
  EXPECT_EQ(with_bos.bos(), 299);
  EXPECT_TRUE(with_bos.add_bos()) << "as of Llama-3";
  EXPECT_EQ(with_bos.eos(), 300);
  folder.files["tokenizer_config.json"] = "{}";
  EXPECT_EQ(convert().bos(), -1) << "it would name it";
}

// Models without a head are saved without the name that sets them apart from it.
TEST_F(ConvertTest, AModelWithoutAHead) {
  TestHfFolder folder = Folder("qwen3", HfForm::kThreeValues);
  std::string& config = folder.files["config.json"];
  config = Replaced(config, "Qwen3ForCausalLM", "Qwen3Model");
  std::map<std::string, TestHfFolder::Stored> tensors;
  for (const auto& [name, tensor] : folder.tensors) {
    tensors[name.substr(std::string_view("model.").size())] = tensor;
  }
  folder.tensors = tensors;
  folder.Write();
  const Status status = Convert();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(Logits(out_), Logits(folder.gguf_path()));
}

// Gemma's tokenizer has one for images, which a model of texts has no row for.
TEST_F(ConvertTest, ControlTokensThatTheModelDoesNotHave) {
  TestHfFolder folder = Folder("gemma3", HfForm::kThreeValues);
  std::string& tokenizer = folder.files["tokenizer.json"];
  const std::string good = tokenizer;
  const auto with = [&](const char* special) {
    tokenizer = Replaced(good, R"("added_tokens":[)",
                         fmt::format(R"("added_tokens":[{{"id":512,"content":"<image>",)"
                                     R"("special":{}}},)",
                                     special));
  };
  with("false");
  EXPECT_THAT(ErrorOf(folder), HasSubstr("tokenizer.json: has 513 tokens, and the model 512"));
  with("true");
  folder.Write();
  ASSERT_TRUE(Convert());
  EXPECT_EQ(Logits(out_), Logits(folder.gguf_path()));
}

// 1bitLLM's folders have no tokenizer.json.
TEST_F(ConvertTest, SentencePiecesModel) {
  TestHfFolder folder = Folder("bitnet", HfForm::kTraining);
  folder.files.erase("tokenizer.json");
  const Vocabulary pieces = TestPieces();
  folder.files["tokenizer.model"] = SentencePieceModel(pieces);
  folder.files["tokenizer_config.json"] =
      R"({"added_tokens_decoder":{"500":{"content":"[PAD]","special":true}}})";
  folder.Write();
  const Status status = Convert();
  ASSERT_TRUE(status) << status.error().message;
  const Tokenizer tokenizer = *ReadTokenizerFor(*GgufReader::Open(out_), 512);
  EXPECT_EQ(*tokenizer.Encode("the thing", true),
            *Tokenizer::Create(pieces)->Encode("the thing", true));
  EXPECT_EQ(tokenizer.bos(), 1);
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_FALSE(Logits(out_).empty());
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
