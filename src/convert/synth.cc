// SPDX-License-Identifier: Apache-2.0
#include "convert/synth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <tuple>
#include <vector>

#include "base/float16.h"
#include "convert/gguf_writer.h"
#include "convert/synth_tokenizer.h"
#include "convert/synth_values.h"
#include "convert/write_model_config.h"
#include "model/layer_plan.h"
#include "model/model_config.h"
#include "model/ternary_codes.h"
#include "text/sampler.h"

namespace bitfetch {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

struct NamedShape {
  std::string_view name;
  SynthShape shape;
};

// Ternary-Bonsai is Qwen3 in these sizes.
SynthShape Qwen3(int64_t layers, int64_t hidden, int64_t ffn, int64_t heads) {
  return {.architecture = "qwen3",
          .layers = layers,
          .hidden = hidden,
          .ffn = ffn,
          .heads = heads,
          .kv_heads = 8,
          .head_dim = 128,
          .vocab = 151936,
          .context = 32768,
          .rope_theta = 1e6f,
          .rms_epsilon = 1e-6f,
          .weights = TensorType::kQ2_0,
          .embedding = TensorType::kQ2_0};
}

SynthShape Embedding06B() {
  SynthShape shape = Qwen3(28, 1024, 3072, 16);
  shape.weights = TensorType::kI2_S;
  shape.embedding = TensorType::kF16;
  shape.input_norms = true;
  return shape;
}

SynthShape Bonsai8B() {
  SynthShape shape = Qwen3(36, 4096, 12288, 32);
  shape.context = 65536;
  shape.yarn_factor = 4;
  shape.own_output = true;
  return shape;
}

const std::vector<NamedShape>& Shapes() {
  static const std::vector<NamedShape> shapes = {
      {"bitnet-2b4t", {}},
      {"falcon3-1b",
       {.architecture = "llama",
        .layers = 18,
        .hidden = 2048,
        .ffn = 8192,
        .heads = 8,
        .kv_heads = 4,
        .head_dim = 256,
        .vocab = 131072,
        .context = 8192,
        .rope_theta = 1000042.0f,
        .own_output = true}},
      {"falcon-e-1b",
       {.architecture = "llama",
        .layers = 24,
        .hidden = 2048,
        .ffn = 8192,
        .heads = 16,
        .kv_heads = 2,
        .head_dim = 128,
        .vocab = 32768,
        .context = 32768,
        .rope_theta = 1000042.0f,
        .own_output = true}},
      {"llama3-8b",
       {.architecture = "llama",
        .layers = 32,
        .hidden = 4096,
        .ffn = 14336,
        .heads = 32,
        .kv_heads = 8,
        .head_dim = 128,
        .vocab = 128256,
        .context = 8192,
        .own_output = true}},
      {"bitnet-large",
       {.architecture = "bitnet",
        .layers = 24,
        .hidden = 1536,
        .ffn = 4096,
        .heads = 16,
        .kv_heads = 16,
        .head_dim = 96,
        .vocab = 32002,
        .context = 2048,
        .rope_theta = 10000.0f}},
      {"bonsai-1.7b", Qwen3(28, 2048, 6144, 16)},
      {"bonsai-4b", Qwen3(36, 2560, 9728, 32)},
      {"bonsai-8b", Bonsai8B()},
      {"embedding-0.6b", Embedding06B()},
      {"embedding-270m",
       {.architecture = "gemma3",
        .layers = 18,
        .hidden = 640,
        .ffn = 2048,
        .heads = 4,
        .kv_heads = 1,
        .head_dim = 256,
        .vocab = 262144,
        .context = 32768,
        .rope_theta = 10000.0f,
        .rms_epsilon = 1e-6f,
        .input_norms = true}},
      {"tiny",
       {.layers = 2,
        .hidden = 256,
        .ffn = 512,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 64,
        .vocab = 512,
        .context = 512,
        .rope_theta = 10000.0f}},
  };
  return shapes;
}

Status CheckShape(const SynthShape& shape) {
  for (const auto& [name, value, max] :
       {std::tuple("layers", shape.layers, ModelConfig::kMaxLayers),
        std::tuple("hidden", shape.hidden, ModelConfig::kMaxWidth),
        std::tuple("ffn", shape.ffn, ModelConfig::kMaxWidth),
        std::tuple("heads", shape.heads, ModelConfig::kMaxHeads),
        std::tuple("kv-heads", shape.kv_heads, ModelConfig::kMaxHeads),
        std::tuple("head-dim", shape.head_dim, ModelConfig::kMaxHeadDim),
        std::tuple("vocab", shape.vocab, ModelConfig::kMaxVocab),
        std::tuple("context", shape.context, ModelConfig::kMaxContext)}) {
    if (value < 1 || value > max) {
      return Fail("a model with {} {} is not possible: wanted 1 to {}", value, name, max);
    }
  }
  if (FindArchitecture(shape.architecture) == nullptr) {
    return Fail("architecture '{}' is not known: there are {}", shape.architecture,
                ArchitectureNames());
  }
  if (shape.input_norms && !FindArchitecture(shape.architecture)->may_have_input_norms) {
    return Fail("{} has no norm before every projection", shape.architecture);
  }
  BITFETCH_RETURN_IF_ERROR(CheckHeads(shape.heads, shape.kv_heads, shape.head_dim));
  if (!IsTernary(shape.weights) && !IsTernaryByGroup(shape.weights)) {
    return Fail("weights of type {} are not possible: wanted I2_S, TQ1_0, TQ2_0, Q2_0 or PQ2_0",
                TensorTypeName(shape.weights));
  }
  if (shape.embedding != TensorType::kF32 && shape.embedding != TensorType::kF16 &&
      shape.embedding != TensorType::kBF16 &&
      !(IsTernaryByGroup(shape.embedding) && shape.embedding == shape.weights)) {
    return Fail(
        "an embedding of type {} is not possible: wanted F32, F16, BF16, or that of the weights "
        "where "
        "it is Q2_0 or PQ2_0",
        TensorTypeName(shape.embedding));
  }
  return {};
}

class SynthWriter {
 public:
  SynthWriter(const SynthShape& shape, const Progress& progress)
      : shape_(shape), progress_(progress), random_(shape.seed), packs_(shape.weights, random_) {}

  Status Write(const std::string& path) {
    DeclareMetadata();
    BITFETCH_RETURN_IF_ERROR(DeclareTensors());
    BITFETCH_RETURN_IF_ERROR(writer_.Open(path));
    for (const Tensor& tensor : tensors_) {
      if (IsTernary(tensor.type) || IsTernaryByGroup(tensor.type)) {
        BITFETCH_RETURN_IF_ERROR(WriteTernary(tensor));
      } else {
        BITFETCH_RETURN_IF_ERROR(WriteFloats(tensor));
      }
    }
    return writer_.Commit();
  }

  Status DeclareTensors() {
    LayerPlan unread;
    const std::vector<LayerTensor> layer_tensors = LayerTensors(Config(), unread);
    BITFETCH_RETURN_IF_ERROR(
        Declare("token_embd.weight", shape_.embedding, shape_.hidden, shape_.vocab));
    for (int64_t layer = 0; layer < shape_.layers; ++layer) {
      for (const LayerTensor& tensor : layer_tensors) {
        const std::string name = fmt::format("blk.{}.{}.weight", layer, tensor.name);
        if (tensor.norm != nullptr) {
          DeclareNorm(name, tensor.cols);
        } else {
          BITFETCH_RETURN_IF_ERROR(Declare(name, shape_.weights, tensor.cols, tensor.rows));
        }
      }
    }
    DeclareNorm("output_norm.weight", shape_.hidden);
    if (!shape_.own_output) return {};
    return Declare("output.weight", shape_.embedding, shape_.hidden, shape_.vocab);
  }

 private:
  struct Tensor {
    TensorType type;
    bool norm;
    int64_t cols;
    int64_t bytes;
  };

  ModelConfig Config() const {
    ModelConfig config = {.architecture = FindArchitecture(shape_.architecture),
                          .name = "random weights",
                          .layers = shape_.layers,
                          .hidden = shape_.hidden,
                          .ffn = shape_.ffn,
                          .heads = shape_.heads,
                          .kv_heads = shape_.kv_heads,
                          .head_dim = shape_.head_dim,
                          .vocab = shape_.vocab,
                          .context = shape_.context,
                          .rope_theta = shape_.rope_theta,
                          .rms_epsilon = shape_.rms_epsilon,
                          .input_norms = shape_.input_norms};
    const auto trained_on = static_cast<float>(shape_.context) / shape_.yarn_factor;
    config.yarn = {shape_.yarn_factor, static_cast<int64_t>(trained_on)};
    return config;
  }

  void DeclareMetadata() {
    WriteModelConfig(shape_.architecture, Config(), writer_);
    if (shape_.vocab >= kMinSynthTokenizer) {
      AddSynthTokenizer(shape_.architecture, shape_.vocab, writer_);
    }
  }

  Status Declare(const std::string& name, TensorType type, int64_t cols, int64_t rows) {
    const int64_t row_elements = type == TensorType::kI2_S ? cols * rows : cols;
    if (row_elements % PackElements(type) != 0) {
      return Fail("tensor {} of {} x {} is not possible: {} needs a multiple of {}", name, cols,
                  rows, TensorTypeName(type), PackElements(type));
    }
    const std::array<int64_t, 2> shape = {cols, rows};
    writer_.AddTensor(name, type, shape);
    AddToList({type, false, cols, TensorBytes(type, cols * rows)});
    return {};
  }

  void DeclareNorm(const std::string& name, int64_t size) {
    const TensorType type = shape_.input_norms ? TensorType::kF16 : TensorType::kF32;
    writer_.AddTensor(name, type, std::span(&size, 1));
    AddToList({type, true, size, TensorBytes(type, size)});
  }

  void AddToList(const Tensor& tensor) {
    tensors_.push_back(tensor);
    total_bytes_ += tensor.bytes;
  }

  Status WriteTernary(const Tensor& tensor) {
    // A code's variance is 2/3: what comes out is about as large as what went in. Every type holds
    // a scale that f16 holds.
    const auto exact = static_cast<float>(std::sqrt(1.5 / static_cast<double>(tensor.cols)));
    const uint16_t scale = F32ToF16(exact);
    packs_.SetScale(scale);
    const bool trailer = tensor.type == TensorType::kI2_S;
    const int64_t bytes = tensor.bytes - (trailer ? kI2STrailerBytes : 0);
    BITFETCH_RETURN_IF_ERROR(WritePieces(bytes, packs_.pack_bytes(),
                                         [&](auto piece) { packs_.FillRandom(random_, piece); }));
    if (!trailer) return {};
    return WritePieces(kI2STrailerBytes, kI2STrailerBytes, [&](auto piece) {
      std::ranges::copy(I2STrailer(F16ToF32(scale)), piece.begin());
    });
  }

  Status WriteFloats(const Tensor& tensor) {
    return WritePieces(tensor.bytes, kRandomFloatsUnit, [&](auto piece) {
      if (!tensor.norm) return FillRandomFloats(tensor.type, random_, piece);
      FillOnes(tensor.type, piece);
    });
  }

  // Fills and writes `bytes` piece by piece, all but the last a multiple of `unit`.
  template <class Fill>
  Status WritePieces(int64_t bytes, size_t unit, const Fill& fill) {
    piece_.resize(kPieceBytes / unit * unit);
    for (int64_t done = 0; done < bytes;) {
      const auto size = std::min<int64_t>(bytes - done, static_cast<int64_t>(piece_.size()));
      const auto piece = std::span(piece_).first(static_cast<size_t>(size));
      fill(piece);
      BITFETCH_RETURN_IF_ERROR(writer_.Append(piece));
      done += size;
      written_ += size;
      if (progress_) progress_(written_, total_bytes_);
    }
    return {};
  }

  const SynthShape& shape_;
  const Progress& progress_;
  Random random_;
  TernaryPacks packs_;
  GgufWriter writer_;
  std::vector<Tensor> tensors_;
  std::vector<std::byte> piece_;
  int64_t written_ = 0;
  int64_t total_bytes_ = 0;
};

}  // namespace

Result<SynthShape> SynthShapeNamed(std::string_view name) {
  for (const NamedShape& named : Shapes()) {
    if (named.name == name) return named.shape;
  }
  return Fail("shape '{}' is not known: there are {}", name, SynthShapeNames());
}

std::string SynthShapeNames() {
  std::string names;
  for (const NamedShape& named : Shapes()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", named.name);
  }
  return names;
}

Status CheckSynthShape(const SynthShape& shape) {
  BITFETCH_RETURN_IF_ERROR(CheckShape(shape));
  return SynthWriter(shape, /*progress=*/{}).DeclareTensors();
}

Status WriteSynthModel(const std::string& path, const SynthShape& shape, const Progress& progress) {
  BITFETCH_RETURN_IF_ERROR(CheckShape(shape));
  return SynthWriter(shape, progress).Write(path);
}

}  // namespace bitfetch
