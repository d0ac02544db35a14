// SPDX-License-Identifier: Apache-2.0
// For tests: writes a model as a Hugging Face folder.
#ifndef BITFETCH_CONVERT_TEST_HF_FOLDER_H_
#define BITFETCH_CONVERT_TEST_HF_FOLDER_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "convert/synth_tokenizer.h"
#include "convert/test_safetensors.h"
#include "convert/test_tokenizer_json.h"
#include "model/dequantize.h"
#include "model/gguf_reader.h"
#include "model/ternary_codes.h"
#include "model/test_model.h"

namespace bitfetch {

// How the ternary matrices are stored.
enum class HfForm {
  kPacked,         // with a scale that multiplies
  kPackedDivided,  // with one that divides
  kThreeValues,    // of the whole matrix, or of each group where weights are by group
  kTraining,       // floats around what they round to
  kMlx,            // two bits by group
};

// A model with a tokenizer, large enough for one.
inline TestModel HfModel(const std::string& architecture) {
  return {.architecture = architecture, .vocab = 512, .group_codes = 3};
}

// A folder with the weights of a random model, and config.json and tokenizer.json for it, as
// transformers would save them; parts may be changed before it is written.
class TestHfFolder {
 public:
  TestHfFolder(std::string path, const TestModel& model, HfForm form)
      : path_(std::move(path)), model_(model), form_(form) {
    std::filesystem::create_directory(path_);
    gguf_path_ = path_ + ".gguf";
    TestModelWriter writer(model);
    // Llama-3's kind, which TokenizerJson writes.
    AddSynthTokenizer("llama", model.vocab, writer.writer());
    EXPECT_TRUE(writer.Write(gguf_path_));
    const GgufReader gguf = *GgufReader::Open(gguf_path_);
    for (const GgufTensor& tensor : gguf.tensors()) AddTensor(tensor);
    SetConfig();
    SetTokenizer(gguf);
  }

  // The same model in GGUF.
  const std::string& gguf_path() const { return gguf_path_; }
  const std::string& path() const { return path_; }

  // To be changed, then written.
  std::map<std::string, std::string> files;  // by name: config.json, tokenizer.json ...
  struct Stored {
    std::string dtype;
    std::vector<int64_t> shape;
    std::string data;
  };
  std::map<std::string, Stored> tensors;

  void Write(size_t shards = 1) const {
    for (const auto& [name, text] : files) EXPECT_TRUE(WriteFile(path_ + "/" + name, text));
    std::vector<TestSafetensors> parts(shards);
    size_t next = 0;
    for (const auto& [name, tensor] : tensors) {
      parts[next++ % shards].Add(name, tensor.dtype, tensor.shape, tensor.data);
    }
    for (size_t i = 0; i < shards; ++i) {
      parts[i].Write(
          shards == 1 ? path_ + "/model.safetensors"
                      : fmt::format("{}/model-{:05}-of-{:05}.safetensors", path_, i + 1, shards));
    }
  }

  void AddFloats(const std::string& name, std::string_view dtype, const std::vector<int64_t>& shape,
                 const std::vector<float>& values) {
    tensors[name] = {std::string(dtype), shape, FloatData(dtype, values)};
  }

 private:
  bool Is(std::string_view architecture) const { return model_.architecture == architecture; }

  std::string HfName(std::string_view gguf) const {
    static const std::map<std::string_view, std::string_view> kNames = {
        {"token_embd", "model.embed_tokens"},
        {"output_norm", "model.norm"},
        {"output", "lm_head"},
        {"attn_norm", "input_layernorm"},
        {"attn_q", "self_attn.q_proj"},
        {"attn_k", "self_attn.k_proj"},
        {"attn_v", "self_attn.v_proj"},
        {"attn_q_norm", "self_attn.q_norm"},
        {"attn_k_norm", "self_attn.k_norm"},
        {"attn_output", "self_attn.o_proj"},
        {"attn_sub_norm", "self_attn.attn_sub_norm"},
        {"ffn_norm", "post_attention_layernorm"},
        {"ffn_gate", "mlp.gate_proj"},
        {"ffn_up", "mlp.up_proj"},
        {"ffn_down", "mlp.down_proj"},
        {"ffn_sub_norm", "mlp.ffn_sub_norm"}};
    static const std::map<std::string_view, std::string_view> kGemma = {
        {"post_attention_norm", "post_attention_layernorm"},
        {"ffn_norm", "pre_feedforward_layernorm"},
        {"post_ffw_norm", "post_feedforward_layernorm"}};
    static const std::map<std::string_view, std::string_view> k1BitLlm = {
        {"attn_sub_norm", "self_attn.inner_attn_ln"}, {"ffn_sub_norm", "mlp.ffn_layernorm"}};
    gguf.remove_suffix(std::string_view(".weight").size());
    if (!gguf.starts_with("blk.")) return std::string(kNames.at(gguf));
    const size_t dot = gguf.find('.', 4);
    const std::string layer = fmt::format("model.layers.{}.", gguf.substr(4, dot - 4));
    std::string_view name = gguf.substr(dot + 1);
    constexpr std::string_view kInputNorm = "_norm_in";
    if (name.ends_with(kInputNorm)) {
      name.remove_suffix(kInputNorm.size());
      return fmt::format("{}{}.norm", layer, kNames.at(name));
    }
    const auto& own = Is("gemma3") ? kGemma : Is("bitnet") ? k1BitLlm : kNames;
    return layer + std::string(own.contains(name) ? own.at(name) : kNames.at(name));
  }

  void AddTensor(const GgufTensor& tensor) {
    const std::string stem = HfName(tensor.name), name = stem + ".weight";
    if (IsTernary(tensor.type)) return AddTernary(tensor, name);
    std::vector<float> values(static_cast<size_t>(tensor.elements));
    for (int64_t row = 0; row < tensor.rows(); ++row) {
      DequantizeRow(tensor.type, tensor.Row(SourceRow(tensor, row)), tensor.cols(),
                    values.data() + row * tensor.cols());
    }
    const std::vector<int64_t> shape = {tensor.rows(), tensor.cols()};
    if (tensor.rows() == 1) {
      if (Is("gemma3") && !name.ends_with("_proj.norm.weight")) {
        for (float& value : values) --value;
      }
      AddFloats(name, "F32", {tensor.cols()}, values);
    } else if (form_ == HfForm::kMlx && IsTernaryByGroup(tensor.type)) {
      AddMlx(stem, PackElements(tensor.type), shape, values);
    } else {
      AddFloats(name, "F16", shape, values);
    }
  }

  // The halves of a head that llama's RoPE turns together lie apart here.
  int64_t SourceRow(const GgufTensor& tensor, int64_t row) const {
    if (!Is("llama") ||
        !(tensor.name.ends_with("attn_q.weight") || tensor.name.ends_with("attn_k.weight"))) {
      return row;
    }
    const int64_t in_head = row % model_.head_dim, half = model_.head_dim / 2;
    return row - in_head + in_head % half * 2 + in_head / half;
  }

  void AddMlx(const std::string& stem, int64_t group, const std::vector<int64_t>& shape,
              const std::vector<float>& values) {
    std::string words(values.size() / 4, '\0');
    std::vector<float> scales, biases;
    for (size_t i = 0; i < values.size(); ++i) {
      if (i % static_cast<size_t>(group) == 0) {
        float scale = 0;
        for (int64_t j = 0; j < group; ++j) scale = std::max(scale, std::abs(values[i + j]));
        scales.push_back(scale);
        biases.push_back(-scale);
      }
      const int code = 1 + (values[i] > 0) - (values[i] < 0);
      words[i / 4] |= static_cast<char>(code << 2 * (i % 4));
    }
    tensors[stem + ".weight"] = {"U32", {shape[0], shape[1] / 16}, words};
    AddFloats(stem + ".scales", "F16", {shape[0], shape[1] / group}, scales);
    AddFloats(stem + ".biases", "F16", {shape[0], shape[1] / group}, biases);
  }

  void AddTernary(const GgufTensor& tensor, const std::string& name) {
    const TernaryMatrix matrix = *ReadTernary(tensor, gguf_path_);
    const int64_t rows = matrix.rows, cols = matrix.cols;
    std::vector<int> codes;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        codes.push_back(matrix.Code(SourceRow(tensor, row), col));
      }
    }
    if (form_ == HfForm::kThreeValues || form_ == HfForm::kTraining) {
      std::vector<float> values;
      for (size_t i = 0; i < codes.size(); ++i) {
        const auto weight = static_cast<float>(codes[i] - 1);
        const float off = form_ == HfForm::kTraining ? static_cast<float>(i % 7) / 32 - 0.09f : 0;
        values.push_back((weight + off) * matrix.scale);
      }
      return AddFloats(name, "F32", {rows, cols}, values);
    }
    std::string packed(static_cast<size_t>(rows / 4 * cols), '\0');
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        packed[row % (rows / 4) * cols + col] |=
            static_cast<char>(codes[row * cols + col] << 2 * (row / (rows / 4)));
      }
    }
    tensors[name] = {"U8", {rows / 4, cols}, packed};
    AddFloats(name + "_scale", "F32", {1},
              {form_ == HfForm::kPacked ? matrix.scale : 1 / matrix.scale});
  }

  void SetConfig() {
    static const std::map<std::string_view, std::pair<const char*, const char*>> kKinds = {
        {"bitnet-b1.58", {"BitNetForCausalLM", "relu2"}},
        {"bitnet", {"BitnetForCausalLM", "silu"}},
        {"llama", {"LlamaForCausalLM", "silu"}},
        {"qwen3", {"Qwen3ForCausalLM", "silu"}},
        {"gemma3", {"Gemma3ForCausalLM", "gelu_pytorch_tanh"}}};
    const auto [hf_class, activation] = kKinds.at(model_.architecture);
    std::string more;
    if (form_ == HfForm::kMlx) {
      more = fmt::format(R"("quantization":{{"group_size":{},"bits":2}},)",
                         PackElements(model_.linear));
    } else if (form_ != HfForm::kThreeValues) {
      more =
          fmt::format(R"("quantization_config":{{"quant_method":"bitnet","linear_class":"{}"}},)",
                      form_ == HfForm::kPackedDivided ? "bitlinear" : "autobitlinear");
    }
    if (model_.window != 0) {
      more += fmt::format(R"("sliding_window":{},"sliding_window_pattern":2,)"
                          R"("rope_local_base_freq":10000.0,)",
                          model_.window);
    }
    const std::string scaling =
        model_.yarn_factor == 1
            ? "null"
            : fmt::format(
                  R"({{"rope_type":"yarn","factor":{},"original_max_position_embeddings":{}}})",
                  model_.yarn_factor, model_.context / 4);
    files["config.json"] = fmt::format(
        R"({{"architectures":["{}"],{}"{}":"{}","num_hidden_layers":{},"hidden_size":{},)"
        R"("intermediate_size":{},"num_attention_heads":{},"num_key_value_heads":{},"head_dim":{},)"
        R"("vocab_size":{},"max_position_embeddings":{},"rms_norm_eps":1e-05,)"
        R"("rope_theta":500000.0,"rope_scaling":{},"tie_word_embeddings":{},)"
        R"("eos_token_id":[300,301]}})",
        hf_class, more, Is("gemma3") ? "hidden_activation" : "hidden_act", activation,
        model_.layers, model_.hidden, model_.ffn, model_.heads, model_.kv_heads, model_.head_dim,
        model_.vocab, model_.context, scaling, !model_.own_output);
  }

  void SetTokenizer(const GgufReader& gguf) {
    Vocabulary vocabulary;
    const auto tokens = *gguf.GetArray<std::string_view>("tokenizer.ggml.tokens");
    vocabulary.tokens.assign(tokens.begin(), tokens.end());
    const auto types = *gguf.GetArray<int64_t>("tokenizer.ggml.token_type");
    vocabulary.types.assign(types.begin(), types.end());
    vocabulary.bos = static_cast<int>(*gguf.Get<int64_t>("tokenizer.ggml.bos_token_id"));
    vocabulary.add_bos = true;
    files["tokenizer.json"] = TokenizerJson(vocabulary);
    files["tokenizer_config.json"] = R"({"eos_token":{"content":"<|end_of_text|>"}})";
  }

  std::string path_;
  TestModel model_;
  HfForm form_;
  std::string gguf_path_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_TEST_HF_FOLDER_H_
