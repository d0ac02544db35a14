// SPDX-License-Identifier: Apache-2.0
// For tests: small models with random weights, written as real files.
#ifndef BITFETCH_MODEL_TEST_MODEL_H_
#define BITFETCH_MODEL_TEST_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/float16.h"
#include "convert/gguf_writer.h"
#include "model/layer_plan.h"
#include "model/ternary_codes.h"
#include "model/ternary_groups.h"

namespace bitfetch {

struct TestModel {
  std::string architecture = "bitnet-b1.58";
  uint32_t version = 3;
  int64_t alignment = 32;
  int64_t layers = 2;
  int64_t hidden = 256;
  int64_t ffn = 512;
  int64_t heads = 4;
  int64_t kv_heads = 2;
  int64_t head_dim = 64;
  int64_t vocab = 48;
  int64_t context = 64;
  float yarn_factor = 1;                    // of a quarter of the context, where it isn't 1
  int64_t window = 0;                       // of every other layer
  bool input_norms = false;                 // which are F16 then, as all norms
  TensorType linear = TensorType::kI2_S;    // a ternary type
  TensorType embedding = TensorType::kF16;  // kF32, kF16 or ternary by group
  int group_codes = 4;                      // of weights by group: 3 are without +2
  bool own_output = false;                  // else tied to the embedding
  bool scales = false;                      // of matrices, in tensors of their own too
  uint32_t seed = 1;
};

// What a file has of `model`: declared, and then filled with random weights.
class TestModelWriter {
 public:
  explicit TestModelWriter(const TestModel& model)
      : model_(model), random_(model.seed), writer_(model.version, model.alignment) {
    Declare();
  }

  // For keys of the test's own, before Write.
  GgufWriter& writer() { return writer_; }

  Status Write(const std::string& path) {
    BITFETCH_RETURN_IF_ERROR(writer_.Open(path));
    for (const Tensor& tensor : tensors_) {
      BITFETCH_RETURN_IF_ERROR(writer_.Append(RandomData(tensor)));
    }
    return writer_.Commit();
  }

 private:
  struct Tensor {
    TensorType type;
    int64_t elements;
    bool norm;
  };

  void Declare() {
    const std::string& arch = model_.architecture;
    const auto size = [&](const char* key, int64_t value) {
      writer_.Add<uint32_t>(arch + "." + key, static_cast<uint32_t>(value));
    };
    writer_.Add<std::string>("general.architecture", arch);
    writer_.Add<std::string>("general.name", "test model");
    size("vocab_size", model_.vocab);
    size("context_length", model_.context);
    size("embedding_length", model_.hidden);
    size("block_count", model_.layers);
    size("feed_forward_length", model_.ffn);
    size("rope.dimension_count", model_.head_dim);
    size("attention.head_count", model_.heads);
    size("attention.head_count_kv", model_.kv_heads);
    if (model_.heads * model_.head_dim != model_.hidden) {
      size("attention.key_length", model_.head_dim);
      size("attention.value_length", model_.head_dim);
    }
    writer_.Add<float>(arch + ".attention.layer_norm_rms_epsilon", 1e-5f);
    writer_.Add<float>(arch + ".rope.freq_base", 500000.f);
    if (model_.window != 0) {
      size("attention.sliding_window", model_.window);
      size("attention.sliding_window_pattern", 2);
    }
    if (model_.yarn_factor != 1) {
      writer_.Add<std::string>(arch + ".rope.scaling.type", "yarn");
      writer_.Add<float>(arch + ".rope.scaling.factor", model_.yarn_factor);
      size("rope.scaling.original_context_length", model_.context / 4);
    }

    const ModelConfig config = {.architecture = FindArchitecture(arch),
                                .hidden = model_.hidden,
                                .ffn = model_.ffn,
                                .heads = model_.heads,
                                .kv_heads = model_.kv_heads,
                                .head_dim = model_.head_dim,
                                .input_norms = model_.input_norms};
    const TensorType norm_type = model_.input_norms ? TensorType::kF16 : TensorType::kF32;
    LayerPlan unread;
    Add("token_embd.weight", model_.embedding, {model_.hidden, model_.vocab});
    for (int64_t layer = 0; layer < model_.layers; ++layer) {
      for (const LayerTensor& tensor : LayerTensors(config, unread)) {
        const std::string name = fmt::format("blk.{}.{}.weight", layer, tensor.name);
        if (tensor.norm != nullptr) {
          Add(name, norm_type, {tensor.cols});
        } else {
          Add(name, model_.linear, {tensor.cols, tensor.rows});
          if (!model_.scales) continue;
          Add(fmt::format("blk.{}.{}.scale", layer, tensor.name), TensorType::kF32, {1});
        }
      }
    }
    Add("output_norm.weight", norm_type, {model_.hidden});
    if (model_.own_output) Add("output.weight", model_.embedding, {model_.hidden, model_.vocab});
  }

  void Add(const std::string& name, TensorType type, const std::vector<int64_t>& shape) {
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    writer_.AddTensor(name, type, shape);
    tensors_.push_back({type, elements, shape.size() == 1});
  }

  // Norms around 1, embeddings around 0; ternary weights of all kinds.
  std::vector<std::byte> RandomData(const Tensor& tensor) {
    const auto [type, elements, norm] = tensor;
    std::vector<std::byte> data(static_cast<size_t>(TensorBytes(type, elements)));
    constexpr float kScale = 0.0625f;
    if (IsTernary(type)) {
      std::vector<uint8_t> codes(static_cast<size_t>(elements));
      for (uint8_t& code : codes) code = static_cast<uint8_t>(random_() % 3);
      if (type == TensorType::kTQ1_0) PackTQ1_0(codes, F32ToF16(kScale), data.data());
      if (type == TensorType::kTQ2_0) PackTQ2_0(codes, F32ToF16(kScale), data.data());
      if (type == TensorType::kI2_S) {
        PackI2S(codes, data.data());
        const auto trailer = I2STrailer(kScale);
        std::copy(trailer.begin(), trailer.end(), data.end() - kI2STrailerBytes);
      }
      return data;
    }
    if (IsTernaryByGroup(type)) {
      std::vector<uint8_t> codes(static_cast<size_t>(PackElements(type)));
      for (size_t at = 0; at < data.size(); at += static_cast<size_t>(PackBytes(type))) {
        for (uint8_t& code : codes) code = static_cast<uint8_t>(random_() % model_.group_codes);
        const float scale = kScale * static_cast<float>(random_() % 64 + 1) / 32;
        PackQ2_0(codes, F32ToF16(scale), data.data() + at);
      }
      return data;
    }
    for (int64_t i = 0; i < elements; ++i) {
      const float random = static_cast<float>(random_() % 2001) / 1000.f - 1.f;
      const float value = norm ? 1.f + random / 8 : random;
      const uint16_t half = F32ToF16(value);
      if (type == TensorType::kF32) std::memcpy(data.data() + 4 * i, &value, sizeof value);
      if (type == TensorType::kF16) std::memcpy(data.data() + 2 * i, &half, sizeof half);
    }
    return data;
  }

  TestModel model_;
  std::mt19937 random_;
  GgufWriter writer_;
  std::vector<Tensor> tensors_;
};

inline Status WriteTestModel(const std::string& path, const TestModel& model = {}) {
  return TestModelWriter(model).Write(path);
}

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_TEST_MODEL_H_
