// SPDX-License-Identifier: Apache-2.0
#include "convert/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/float16.h"
#include "base/json_value.h"
#include "base/printable.h"
#include "convert/gguf_writer.h"
#include "convert/hf_config.h"
#include "convert/hf_ternary.h"
#include "convert/safetensors.h"
#include "convert/tokenizer_json.h"
#include "convert/write_model_config.h"
#include "convert/write_tokenizer.h"
#include "model/dequantize.h"
#include "model/ternary_codes.h"

namespace bitfetch {
namespace {

constexpr int64_t kElementsAtOnce = int64_t{1} << 20;
constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr uint32_t kFileTypeI2S = 40;  // BitNet's number for files of this type

// A tensor of the model, where it comes from and what it becomes.
struct Planned {
  const HfTensor* tensor;
  const SafeTensor* weight;
  const SafeTensor* scale;  // null: none
  std::string name;         // in GGUF
  TensorType type;
  int64_t rows;
  int64_t cols;
};

bool FileExists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// The document, or null where there is no such file.
Result<JsonValue> ReadJsonIfThere(const std::string& path) {
  if (!FileExists(path)) return JsonValue();
  return ReadJsonFile(path);
}

Error AboutFile(const std::string& path, const Error& error) {
  return {fmt::format("{}: {}", path, error.message)};
}

class Converter {
 public:
  Converter(const std::string& folder, const ConvertOptions& options, const Progress& progress)
      : folder_(folder), options_(options), progress_(progress) {}

  Status Convert(const std::string& out) {
    BITFETCH_RETURN_IF_ERROR(ReadFolder());
    BITFETCH_RETURN_IF_ERROR(Plan());
    DeclareMetadata();
    BITFETCH_RETURN_IF_ERROR(DeclareTokenizer());
    BITFETCH_RETURN_IF_ERROR(CheckWay(out));
    BITFETCH_RETURN_IF_ERROR(writer_.Open(out));
    for (const Planned& planned : plan_) {
      BITFETCH_RETURN_IF_ERROR(IsTernary(planned.type) ? WriteTernary(planned)
                                                       : WriteFloats(planned));
    }
    return writer_.Commit();
  }

 private:
  std::string InFolder(std::string_view name) const { return fmt::format("{}/{}", folder_, name); }

  Status ReadFolder() {
    const std::string path = InFolder("config.json");
    if (!FileExists(path)) {
      return Fail("{}: has no config.json: wanted the folder of a Hugging Face model", folder_);
    }
    BITFETCH_ASSIGN_OR_RETURN(config_json_, ReadJsonFile(path));
    auto config = ReadHfConfig(config_json_);
    if (!config) return tl::unexpected(AboutFile(path, config.error()));
    config_ = *config;
    rules_ = {.round = config_.is_ternary || options_.assume_bitnet,
              .scale_divides = config_.scale_divides};
    BITFETCH_ASSIGN_OR_RETURN(tensors_, Safetensors::OpenFolder(folder_));
    return {};
  }

  Status Plan() {
    std::set<const SafeTensor*> found;
    for (const HfTensor& tensor : HfModelTensors()) {
      const bool is_head = tensor.hf == kHfHead;
      const SafeTensor* weight = tensors_.Find(fmt::format("{}.weight", tensor.hf));
      if (is_head && (weight == nullptr || config_.tied)) {
        found.insert(weight);
        continue;
      }
      const TensorType type = tensor.rows == HfSize::kOne ? TensorType::kF32 : TensorType::kF16;
      BITFETCH_RETURN_IF_ERROR(PlanTensor(tensor, "", "", type, &found));
    }
    for (int64_t layer = 0; layer < config_.shape.layers; ++layer) {
      const std::string hf = fmt::format("model.layers.{}.", layer);
      const std::string gguf = fmt::format("blk.{}.", layer);
      for (const HfTensor& tensor : config_.architecture->layer) {
        const TensorType type = tensor.rows == HfSize::kOne ? TensorType::kF32 : options_.weights;
        BITFETCH_RETURN_IF_ERROR(PlanTensor(tensor, hf, gguf, type, &found));
      }
    }
    for (const auto& [name, tensor] : tensors_.tensors()) {
      // What older files hold of RoPE follows from its theta.
      if (found.contains(tensor) || name.ends_with("rotary_emb.inv_freq")) continue;
      return Fail("{}: tensor {} is not part of a model of architecture {}", tensor->file->path(),
                  Printable(name), config_.architecture->hf);
    }
    return CheckIsTernary();
  }

  Status PlanTensor(const HfTensor& tensor, const std::string& hf_prefix,
                    const std::string& gguf_prefix, TensorType type,
                    std::set<const SafeTensor*>* found) {
    const std::string name = fmt::format("{}{}.weight", hf_prefix, tensor.hf);
    Planned planned{.tensor = &tensor,
                    .weight = tensors_.Find(name),
                    .scale = IsTernary(type) ? tensors_.Find(name + "_scale") : nullptr,
                    .name = fmt::format("{}{}.weight", gguf_prefix, tensor.gguf),
                    .type = type,
                    .rows = config_.Size(tensor.rows),
                    .cols = config_.Size(tensor.cols)};
    if (planned.weight == nullptr) return Fail("{}: tensor {} is missing", folder_, name);
    found->insert(planned.weight);
    found->insert(planned.scale);
    const int64_t elements = planned.rows * planned.cols;
    if (elements % PackElements(type) != 0) {
      return Fail("{}: tensor {} has {} x {} weights: {} needs a multiple of {}", folder_, name,
                  planned.rows, planned.cols, TensorTypeName(type), PackElements(type));
    }
    std::vector<int64_t> shape = {planned.cols};
    if (tensor.rows != HfSize::kOne) shape.push_back(planned.rows);
    writer_.AddTensor(planned.name, type, shape);
    total_bytes_ += TensorBytes(type, elements);
    plan_.push_back(std::move(planned));
    return {};
  }

  // Of a model that does not say so: before anything is written.
  Status CheckIsTernary() {
    if (rules_.round) return {};
    const auto first =
        std::ranges::find_if(plan_, [](const Planned& planned) { return IsTernary(planned.type); });
    const auto matrix =
        HfTernary::Open(*first->weight, first->scale, first->rows, first->cols, rules_);
    if (matrix) return {};
    return Fail(
        "{}; and config.json has no quantization_config that says that they become so: if they are "
        "what a BitNet model was trained with, give --assume-bitnet",
        matrix.error().message);
  }

  void DeclareMetadata() {
    ModelConfig shape = config_.shape;
    std::error_code ignored;
    shape.name = std::filesystem::canonical(folder_, ignored).filename().string();
    WriteModelConfig(config_.architecture->gguf, shape, writer_);
    writer_.Add<uint32_t>("general.file_type", kFileTypeI2S);
  }

  Status DeclareTokenizer() {
    const std::string path = InFolder("tokenizer.json");
    if (!FileExists(path)) {
      return Fail("{}: has no tokenizer.json{}", folder_,
                  FileExists(InFolder("tokenizer.model"))
                      ? ", and SentencePiece's tokenizer.model is not read yet"
                      : "");
    }
    BITFETCH_ASSIGN_OR_RETURN(const JsonValue tokenizer, ReadJsonFile(path));
    BITFETCH_ASSIGN_OR_RETURN(const JsonValue config,
                              ReadJsonIfThere(InFolder("tokenizer_config.json")));
    auto vocabulary = ReadTokenizerJson(tokenizer, config, options_.pre);
    if (!vocabulary) return tl::unexpected(AboutFile(path, vocabulary.error()));
    const auto tokens = static_cast<int64_t>(vocabulary->tokens.size());
    if (tokens > config_.shape.vocab) {
      return Fail("{}: has {} tokens, and the model {}", path, tokens, config_.shape.vocab);
    }
    for (int64_t id = tokens; id < config_.shape.vocab; ++id) {
      vocabulary->tokens.push_back(fmt::format("[PAD{}]", id));
      vocabulary->types.push_back(kUnusedToken);
      if (!vocabulary->scores.empty()) vocabulary->scores.push_back(vocabulary->scores.back());
    }
    if (vocabulary->eos < 0) vocabulary->eos = EosOfModel();
    // Whatever a reader would find wrong with it, before hours of work.
    const auto checked = Tokenizer::Create(*vocabulary);
    if (!checked) return tl::unexpected(AboutFile(path, checked.error()));
    WriteTokenizer(*vocabulary, writer_);
    BITFETCH_ASSIGN_OR_RETURN(const std::string chat_template, ChatTemplate(config));
    if (!chat_template.empty()) {
      writer_.Add<std::string>("tokenizer.chat_template", chat_template);
    }
    return {};
  }

  // As config.json has it, or the first of several; -1: none.
  int EosOfModel() const {
    const JsonValue* eos = config_json_.Find("eos_token_id");
    const auto* list = eos == nullptr ? nullptr : eos->As<JsonValue::List>();
    if (list != nullptr) eos = list->empty() ? nullptr : &list->front();
    const auto* id = eos == nullptr ? nullptr : eos->As<int64_t>();
    return id != nullptr && *id >= 0 && *id < config_.shape.vocab ? static_cast<int>(*id) : -1;
  }

  // A file of its own in newer folders; else one text, or the one of several that is the default.
  Result<std::string> ChatTemplate(const JsonValue& tokenizer_config) const {
    const std::string path = InFolder("chat_template.jinja");
    if (FileExists(path)) {
      BITFETCH_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
      if (file.bytes().size() > kMaxTemplateBytes) {
        return Fail("{}: is of {} bytes: only {} are read", path, file.bytes().size(),
                    kMaxTemplateBytes);
      }
      return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
    }
    if (const auto* text = tokenizer_config.Find<std::string>("chat_template")) return *text;
    if (const auto* list = tokenizer_config.Find<JsonValue::List>("chat_template")) {
      for (const JsonValue& each : *list) {
        const auto* name = each.Find<std::string>("name");
        const auto* text = each.Find<std::string>("template");
        if (name != nullptr && *name == "default" && text != nullptr) return *text;
      }
    }
    return std::string();
  }

  // What a mistyped --out must not replace: a text, or a file of the folder itself.
  static Status CheckWay(const std::string& out) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(out, ignored)) return {};
    std::array<char, 4> magic{};
    std::ifstream(out, std::ios::binary).read(magic.data(), magic.size());
    if (std::string_view(magic.data(), magic.size()) == "GGUF") return {};
    return Fail("{}: is in the way: it exists and is no GGUF file", out);
  }

  // The row of the file that becomes this one.
  int64_t SourceRow(const Planned& planned, int64_t row) const {
    if (!planned.tensor->pairs) return row;
    const int64_t dim = config_.shape.head_dim;
    const int64_t in_head = row % dim;
    return row - in_head + in_head % 2 * (dim / 2) + in_head / 2;
  }

  // Calls write(first row, rows) for a tensor's rows, a number of them at a time of which any
  // `unit` are whole packs.
  template <class Write>
  Status WriteRows(const Planned& planned, int64_t unit, const Write& write) {
    const int64_t at_once = std::max<int64_t>(kElementsAtOnce / (planned.cols * unit), 1) * unit;
    BoundedReading reading(*planned.weight);
    for (int64_t row = 0; row < planned.rows; row += at_once) {
      const int64_t rows = std::min(at_once, planned.rows - row);
      BITFETCH_RETURN_IF_ERROR(write(row, rows));
      reading.Add(rows * (static_cast<int64_t>(planned.weight->data.size()) / planned.rows));
    }
    return {};
  }

  Status Append(std::span<const std::byte> bytes) {
    BITFETCH_RETURN_IF_ERROR(writer_.Append(bytes));
    written_bytes_ += static_cast<int64_t>(bytes.size());
    if (progress_) progress_(written_bytes_, total_bytes_);
    return {};
  }

  Status WriteTernary(const Planned& planned) {
    BITFETCH_ASSIGN_OR_RETURN(
        HfTernary matrix,
        HfTernary::Open(*planned.weight, planned.scale, planned.rows, planned.cols, rules_));
    const int64_t cols = planned.cols;
    const int64_t pack = PackElements(planned.type);
    BITFETCH_RETURN_IF_ERROR(
        WriteRows(planned, pack / std::gcd(cols, pack), [&](int64_t row, int64_t rows) -> Status {
          codes_.resize(static_cast<size_t>(rows * cols));
          for (int64_t i = 0; i < rows; ++i) {
            BITFETCH_RETURN_IF_ERROR(
                matrix.ReadRow(SourceRow(planned, row + i),
                               std::span(codes_).subspan(static_cast<size_t>(i * cols),
                                                         static_cast<size_t>(cols))));
          }
          bytes_.resize(codes_.size() / static_cast<size_t>(pack) *
                        static_cast<size_t>(PackBytes(planned.type)));
          PackI2S(codes_, bytes_.data());
          return Append(bytes_);
        }));
    return Append(I2STrailer(matrix.scale()));
  }

  Status WriteFloats(const Planned& planned) {
    const SafeTensor& weight = *planned.weight;
    const auto from = weight.FloatType();
    const std::vector<int64_t> shape = planned.tensor->rows == HfSize::kOne
                                           ? std::vector<int64_t>{planned.cols}
                                           : std::vector<int64_t>{planned.rows, planned.cols};
    if (!from || weight.shape != shape) {
      return Fail("{}: tensor {} is {} [{}]: wanted floats [{}]", weight.file->path(), weight.name,
                  weight.dtype, fmt::join(weight.shape, ", "), fmt::join(shape, ", "));
    }
    const int64_t row_bytes = static_cast<int64_t>(weight.data.size()) / planned.rows;
    return WriteRows(planned, 1, [&](int64_t row, int64_t rows) -> Status {
      values_.resize(static_cast<size_t>(rows * planned.cols));
      DequantizeRow(*from, weight.data.data() + row * row_bytes, rows * planned.cols,
                    values_.data());
      constexpr float kMaxF16 = 65504;
      const float max =
          planned.type == TensorType::kF16 ? kMaxF16 : std::numeric_limits<float>::max();
      if (const auto wrong =
              std::ranges::find_if(values_, [&](float value) { return !(std::abs(value) <= max); });
          wrong != values_.end()) {
        return Fail("{}: tensor {} is damaged: it has {}", weight.file->path(), weight.name,
                    *wrong);
      }
      if (planned.type == TensorType::kF32) return Append(std::as_bytes(std::span(values_)));
      halves_.resize(values_.size());
      std::ranges::transform(values_, halves_.begin(), F32ToF16);
      return Append(std::as_bytes(std::span(halves_)));
    });
  }

  const std::string& folder_;
  const ConvertOptions& options_;
  const Progress& progress_;
  JsonValue config_json_;
  HfConfig config_{};
  HfTernaryRules rules_{};
  Safetensors tensors_;
  std::vector<Planned> plan_;
  GgufWriter writer_;
  int64_t written_bytes_ = 0;
  int64_t total_bytes_ = 0;
  std::vector<uint8_t> codes_;
  std::vector<float> values_;
  std::vector<uint16_t> halves_;
  std::vector<std::byte> bytes_;
};

}  // namespace

Status ConvertModel(const std::string& folder, const std::string& out,
                    const ConvertOptions& options, const Progress& progress) {
  return Converter(folder, options, progress).Convert(out);
}

}  // namespace bitfetch
