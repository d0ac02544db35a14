// SPDX-License-Identifier: Apache-2.0
#include "convert/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "base/json_value.h"
#include "base/printable.h"
#include "convert/convert_tensor.h"
#include "convert/gguf_writer.h"
#include "convert/hf_config.h"
#include "convert/hf_tokenizer.h"
#include "convert/write_model_config.h"
#include "model/layer_plan.h"

namespace bitfetch {
namespace {

constexpr uint32_t kFileTypeI2S = 40;   // BitNet's number for files of this type
constexpr uint32_t kFileTypeQ2_0 = 41;  // llama.cpp's

// What a mistyped --out must not replace: a text, or a file of the folder itself.
Status CheckWay(const std::string& out) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(out, ignored)) return {};
  std::array<char, 4> magic{};
  std::ifstream(out, std::ios::binary).read(magic.data(), magic.size());
  if (std::string_view(magic.data(), magic.size()) == "GGUF") return {};
  return Fail("{}: is in the way: it exists and is no GGUF file", out);
}

class Converter {
 public:
  Converter(const std::string& folder, const ConvertOptions& options)
      : folder_(folder), options_(options) {}

  Status Convert(const std::string& out, const Progress& progress) {
    BITFETCH_RETURN_IF_ERROR(ReadFolder());
    BITFETCH_RETURN_IF_ERROR(FindTensors());
    BITFETCH_RETURN_IF_ERROR(ChooseTypes());
    BITFETCH_RETURN_IF_ERROR(Declare());
    BITFETCH_RETURN_IF_ERROR(CheckWay(out));
    BITFETCH_RETURN_IF_ERROR(writer_.Open(out));
    TensorConverter converter(rules_, writer_, total_bytes_, progress);
    for (const TensorToConvert& tensor : found_) {
      BITFETCH_RETURN_IF_ERROR(converter.Write(tensor));
    }
    return writer_.Commit();
  }

 private:
  Status ReadFolder() {
    const std::string path = folder_ + "/config.json";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      return Fail("{}: has no config.json: wanted the folder of a Hugging Face model", folder_);
    }
    BITFETCH_ASSIGN_OR_RETURN(config_json_, ReadJsonFile(path));
    BITFETCH_ASSIGN_OR_RETURN(config_,
                              ReadHfConfig(config_json_).map_error([&](const Error& error) {
                                return Error{fmt::format("{}: {}", path, error.message)};
                              }));
    BITFETCH_ASSIGN_OR_RETURN(tensors_, Safetensors::OpenFolder(folder_));
    return {};
  }

  Status FindTensors() {
    ModelConfig& shape = config_.shape;
    // Models without a head are saved without the name that sets them apart from it.
    const std::string prefix = tensors_.Find("embed_tokens.weight") != nullptr ? "" : "model.";
    const auto is_there = [&](std::string_view stem) {
      return tensors_.Find(fmt::format("{}.weight", stem)) != nullptr;
    };
    shape.input_norms =
        shape.architecture->may_have_input_norms &&
        is_there(fmt::format("{}layers.0.{}.norm", prefix, shape.architecture->layer.attn_q.hf));
    // Such norms are those of the class that rounds.
    rules_ = {.round = config_.is_ternary || options_.assume_bitnet || shape.input_norms,
              .scale_divides = config_.scale_divides};

    BITFETCH_RETURN_IF_ERROR(
        Find(prefix + "embed_tokens", "token_embd", shape.hidden, shape.vocab));
    BITFETCH_RETURN_IF_ERROR(FindNorm(prefix + "norm", "output_norm", shape.hidden));
    if (is_there("lm_head") && !config_.tied) {
      BITFETCH_RETURN_IF_ERROR(Find("lm_head", "output", shape.hidden, shape.vocab));
    }
    outside_layers_ = found_.size();
    LayerPlan unread;
    const std::vector<LayerTensor> layer_tensors = LayerTensors(shape, unread);
    for (int64_t layer = 0; layer < shape.layers; ++layer) {
      for (const LayerTensor& tensor : layer_tensors) {
        const std::string hf = fmt::format("{}layers.{}.{}", prefix, layer, tensor.hf_name);
        const std::string gguf = fmt::format("blk.{}.{}", layer, tensor.name);
        if (tensor.norm != nullptr) {
          BITFETCH_RETURN_IF_ERROR(FindNorm(hf, gguf, tensor.cols));
          continue;
        }
        BITFETCH_RETURN_IF_ERROR(Find(hf, gguf, tensor.cols, tensor.rows));
        const bool turns =
            tensor.matrix == &unread.attn_q.weights || tensor.matrix == &unread.attn_k.weights;
        if (turns && shape.architecture->rope_form == RopeForm::kAdjacentPairs) {
          found_.back().paired_head_dim = shape.head_dim;
        }
      }
    }
    return CheckAllWereFound();
  }

  // Of two tensors under their names without ".weight".
  Status Find(const std::string& hf, const std::string& gguf, int64_t cols, int64_t rows) {
    const std::string name = hf + ".weight";
    TensorToConvert tensor{.weight = tensors_.Find(name),
                           .scale = tensors_.Find(name + "_scale"),
                           .name = gguf + ".weight",
                           .type = TensorType::kF16,
                           .rows = rows,
                           .cols = cols};
    if (config_.mlx_group != 0) {
      tensor.mlx = {tensors_.Find(hf + ".scales"), tensors_.Find(hf + ".biases"),
                    config_.mlx_group};
    }
    if (tensor.weight == nullptr) return Fail("{}: tensor {} is missing", folder_, name);
    found_.push_back(std::move(tensor));
    return {};
  }

  Status FindNorm(const std::string& hf, const std::string& gguf, int64_t size) {
    BITFETCH_RETURN_IF_ERROR(Find(hf, gguf, size, 1));
    TensorToConvert& norm = found_.back();
    norm.type = TensorType::kF32;
    norm.is_vector = true;
    const bool before_projection = norm.name.ends_with("_norm_in.weight");
    if (config_.shape.architecture->hf_norms_less_one && !before_projection) norm.plus = 1;
    return {};
  }

  Status CheckAllWereFound() const {
    std::set<const SafeTensor*> found;
    for (const TensorToConvert& tensor : found_) {
      found.insert({tensor.weight, tensor.scale, tensor.mlx.scales, tensor.mlx.biases});
    }
    for (const auto& [name, tensor] : tensors_.tensors()) {
      // A head that is the embedding, and what older files hold of RoPE, which follows from theta.
      if (found.contains(tensor) || name == "lm_head.weight" ||
          name.ends_with("rotary_emb.inv_freq")) {
        continue;
      }
      return FailAbout(*tensor, "is not part of a model of this architecture");
    }
    return {};
  }

  // Before anything is written.
  Status ChooseTypes() {
    const auto layers = found_.begin() + static_cast<std::ptrdiff_t>(outside_layers_);
    const auto first =
        std::find_if(layers, found_.end(), [](const auto& tensor) { return !tensor.is_vector; });
    BITFETCH_ASSIGN_OR_RETURN(weights_, TypeOf(*first));
    for (auto tensor = found_.begin(); tensor != found_.end(); ++tensor) {
      if (tensor->is_vector) continue;
      if (tensor >= layers ||
          (IsTernaryByGroup(weights_) && HasTernaryGroups(*tensor, tensor->rows))) {
        tensor->type = weights_;
      }
    }
    return {};
  }

  // As asked for, or as the first matrix is.
  Result<TensorType> TypeOf(const TensorToConvert& first) const {
    if (options_.weights == TensorType::kQ2_0) return TensorType::kQ2_0;
    if (!options_.weights && config_.mlx_group != 0) return TensorType::kQ2_0;
    if (rules_.round) return TensorType::kI2_S;
    const auto matrix = HfTernary::Open(*first.weight, first.scale, first.rows, first.cols, rules_);
    if (matrix) return TensorType::kI2_S;
    if (!options_.weights && HasTernaryGroups(first, 1)) return TensorType::kQ2_0;
    return Fail(
        "{}; and config.json has no quantization_config that says that they become so: if they are "
        "what a BitNet model was trained with, give --assume-bitnet",
        matrix.error().message);
  }

  // In its first rows.
  static bool HasTernaryGroups(const TensorToConvert& tensor, int64_t rows) {
    auto matrix = HfGroups::Open(*tensor.weight, tensor.mlx, tensor.rows, tensor.cols);
    if (!matrix) return false;
    std::vector<uint8_t> codes(static_cast<size_t>(tensor.cols));
    std::vector<uint16_t> scales(codes.size() / HfGroups::kColumns);
    BoundedReading reading(*tensor.weight);
    for (int64_t row = 0; row < rows; ++row) {
      if (!matrix->ReadRow(row, codes, scales)) return false;
      reading.Add(static_cast<int64_t>(tensor.weight->data.size()) / tensor.rows);
    }
    return true;
  }

  Status Declare() {
    ModelConfig& shape = config_.shape;
    std::error_code ignored;
    shape.name = std::filesystem::canonical(folder_, ignored).filename().string();
    WriteModelConfig(shape.architecture->name, shape, writer_);
    for (const TensorToConvert& tensor : found_) {
      const int64_t elements = tensor.rows * tensor.cols;
      const int64_t in_packs = tensor.type == TensorType::kI2_S ? elements : tensor.cols;
      if (in_packs % PackElements(tensor.type) != 0) {
        return FailAbout(*tensor.weight, "has {} x {} weights: {} needs a multiple of {}",
                         tensor.rows, tensor.cols, TensorTypeName(tensor.type),
                         PackElements(tensor.type));
      }
      const bool has_scale = tensor.scale != nullptr && !IsTernary(tensor.type);
      if (has_scale || (tensor.mlx.scales != nullptr && !IsTernaryByGroup(tensor.type))) {
        return FailAbout(*tensor.weight, "has scales beside it, which {} has no place for",
                         TensorTypeName(tensor.type));
      }
      std::vector<int64_t> sizes = {tensor.cols};
      if (!tensor.is_vector) sizes.push_back(tensor.rows);
      writer_.AddTensor(tensor.name, tensor.type, sizes);
      total_bytes_ += TensorBytes(tensor.type, elements);
    }
    writer_.Add<uint32_t>("general.file_type",
                          IsTernaryByGroup(weights_) ? kFileTypeQ2_0 : kFileTypeI2S);
    return WriteHfTokenizer(folder_, config_json_, shape.vocab, options_.pre, writer_);
  }

  const std::string& folder_;
  const ConvertOptions& options_;
  JsonValue config_json_;
  HfConfig config_;
  HfTernaryRules rules_{};
  Safetensors tensors_;
  std::vector<TensorToConvert> found_;
  size_t outside_layers_ = 0;  // so many, at the beginning
  TensorType weights_ = TensorType::kI2_S;
  GgufWriter writer_;
  int64_t total_bytes_ = 0;
};

}  // namespace

Status ConvertModel(const std::string& folder, const std::string& out,
                    const ConvertOptions& options, const Progress& progress) {
  return Converter(folder, options).Convert(out, progress);
}

}  // namespace bitfetch
