// SPDX-License-Identifier: Apache-2.0
// For tests: writes a model as a Hugging Face folder.
#ifndef BITFETCH_CONVERT_TEST_HF_FOLDER_H_
#define BITFETCH_CONVERT_TEST_HF_FOLDER_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "convert/synth.h"
#include "convert/test_safetensors.h"
#include "convert/test_tokenizer_json.h"
#include "model/dequantize.h"
#include "model/gguf_reader.h"
#include "model/ternary_codes.h"

namespace bitfetch {

// How the ternary matrices are stored.
enum class HfForm {
  kPacked,         // with a scale that multiplies
  kPackedDivided,  // with one that divides
  kThreeValues,
  kTraining,  // floats around what they round to
};

// A folder with the weights of a synthetic model, and config.json and tokenizer.json for it, as
// transformers would save them; parts may be changed before it is written.
class TestHfFolder {
 public:
  TestHfFolder(std::string path, const SynthShape& shape, HfForm form)
      : path_(std::move(path)), shape_(shape), form_(form) {
    std::filesystem::create_directory(path_);
    gguf_path_ = path_ + ".gguf";
    EXPECT_TRUE(WriteSynthModel(gguf_path_, shape, {}));
    const GgufReader gguf = *GgufReader::Open(gguf_path_);
    for (const GgufTensor& tensor : gguf.tensors()) AddTensor(tensor);
    SetConfig();
    SetTokenizer(gguf);
  }

  // The same model as synth wrote it.
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
  bool IsLlama() const { return shape_.architecture == "llama"; }

  static std::string HfName(std::string_view gguf) {
    static const std::map<std::string_view, std::string_view> kNames = {
        {"token_embd", "model.embed_tokens"},
        {"output_norm", "model.norm"},
        {"output", "lm_head"},
        {"attn_norm", "input_layernorm"},
        {"attn_q", "self_attn.q_proj"},
        {"attn_k", "self_attn.k_proj"},
        {"attn_v", "self_attn.v_proj"},
        {"attn_output", "self_attn.o_proj"},
        {"attn_sub_norm", "self_attn.attn_sub_norm"},
        {"ffn_norm", "post_attention_layernorm"},
        {"ffn_gate", "mlp.gate_proj"},
        {"ffn_up", "mlp.up_proj"},
        {"ffn_down", "mlp.down_proj"},
        {"ffn_sub_norm", "mlp.ffn_sub_norm"}};
    gguf.remove_suffix(std::string_view(".weight").size());
    if (!gguf.starts_with("blk.")) return fmt::format("{}.weight", kNames.at(gguf));
    const size_t dot = gguf.find('.', 4);
    return fmt::format("model.layers.{}.{}.weight", gguf.substr(4, dot - 4),
                       kNames.at(gguf.substr(dot + 1)));
  }

  void AddTensor(const GgufTensor& tensor) {
    const std::string name = HfName(tensor.name);
    if (IsTernary(tensor.type)) return AddTernary(tensor, name);
    std::vector<float> values(static_cast<size_t>(tensor.elements));
    DequantizeRow(tensor.type, tensor.data.data(), tensor.elements, values.data());
    const bool is_norm = tensor.rows() == 1;
    AddFloats(name, is_norm ? "BF16" : "F16",
              is_norm ? std::vector{tensor.cols()} : std::vector{tensor.rows(), tensor.cols()},
              values);
  }

  void AddTernary(const GgufTensor& tensor, const std::string& name) {
    const TernaryMatrix matrix = *ReadTernary(tensor, gguf_path_);
    const int64_t rows = matrix.rows, cols = matrix.cols, dim = shape_.head_dim;
    // The halves of a head that llama's RoPE turns together lie apart here.
    const bool apart = IsLlama() && (tensor.name.ends_with("attn_q.weight") ||
                                     tensor.name.ends_with("attn_k.weight"));
    std::vector<int> codes;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t in_head = row % dim, half = dim / 2;
      const int64_t from = apart ? row - in_head + in_head % half * 2 + in_head / half : row;
      for (int64_t col = 0; col < cols; ++col) codes.push_back(matrix.Code(from, col));
    }
    if (form_ == HfForm::kThreeValues || form_ == HfForm::kTraining) {
      std::vector<float> values;
      for (size_t i = 0; i < codes.size(); ++i) {
        const auto weight = static_cast<float>(codes[i] - 1);
        const float off = form_ == HfForm::kTraining ? static_cast<float>(i % 7) / 32 - 0.09f : 0;
        values.push_back((weight + off) * matrix.scale);
      }
      // The synthetic scale has more bits than BF16.
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
    std::string quantization;
    if (form_ != HfForm::kThreeValues) {
      quantization =
          fmt::format(R"("quantization_config":{{"quant_method":"bitnet","linear_class":"{}"}},)",
                      form_ == HfForm::kPackedDivided ? "bitlinear" : "autobitlinear");
    }
    files["config.json"] = fmt::format(
        R"({{"architectures":["{}"],{}"hidden_act":"{}","num_hidden_layers":{},"hidden_size":{},)"
        R"("intermediate_size":{},"num_attention_heads":{},"num_key_value_heads":{},"head_dim":{},)"
        R"("vocab_size":{},"max_position_embeddings":{},"rms_norm_eps":1e-05,"rope_theta":{:.1f},)"
        R"("rope_scaling":null,"tie_word_embeddings":{},"eos_token_id":[300,301]}})",
        IsLlama() ? "LlamaForCausalLM" : "BitNetForCausalLM", quantization,
        IsLlama() ? "silu" : "relu2", shape_.layers, shape_.hidden, shape_.ffn, shape_.heads,
        shape_.kv_heads, shape_.head_dim, shape_.vocab, shape_.context, shape_.rope_theta,
        !shape_.own_output);
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
  SynthShape shape_;
  HfForm form_;
  std::string gguf_path_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_TEST_HF_FOLDER_H_
