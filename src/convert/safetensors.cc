// SPDX-License-Identifier: Apache-2.0
#include "convert/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json_value.h"
#include "base/printable.h"

namespace bitfetch {
namespace {

namespace fs = std::filesystem;

struct Dtype {
  std::string_view name;
  int64_t bytes;
};
constexpr std::array<Dtype, 16> kDtypes = {{
    {"BOOL", 1},
    {"U8", 1},
    {"I8", 1},
    {"F8_E5M2", 1},
    {"F8_E4M3", 1},
    {"F8_E8M0", 1},
    {"U16", 2},
    {"I16", 2},
    {"F16", 2},
    {"BF16", 2},
    {"U32", 4},
    {"I32", 4},
    {"F32", 4},
    {"U64", 8},
    {"I64", 8},
    {"F64", 8},
}};

// Reads the header of one file.
class SafetensorsParser {
 public:
  explicit SafetensorsParser(const MappedFile& file) : file_(file) {}

  Result<std::vector<SafeTensor>> Parse() {
    uint64_t header_bytes = 0;
    const std::span<const std::byte> bytes = file_.bytes();
    if (bytes.size() < sizeof header_bytes) return FailFile("is no safetensors file");
    std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
    const uint64_t rest = bytes.size() - sizeof header_bytes;
    if (header_bytes > kMaxHeaderBytes) {
      return FailFile("is no safetensors file: its header would be of {} bytes", header_bytes);
    }
    if (header_bytes > rest) {
      return FailFile("is cut short: its header is of {} bytes, and {} follow", header_bytes, rest);
    }
    const auto header = bytes.subspan(sizeof header_bytes, header_bytes);
    data_ = bytes.subspan(sizeof header_bytes + header_bytes);
    const auto json = ParseJson({reinterpret_cast<const char*>(header.data()), header.size()});
    if (!json) return FailFile("the header {}", json.error().message);
    const auto* table = json->As<JsonValue::Object>();
    if (table == nullptr) return FailFile("the header is no table of tensors");
    if (table->size() > kMaxTensors) return FailFile("claims to have {} tensors", table->size());
    std::vector<SafeTensor> tensors;
    for (const auto& [name, entry] : *table) {
      if (name == "__metadata__") continue;
      BITFETCH_ASSIGN_OR_RETURN(SafeTensor tensor, ParseTensor(name, entry));
      tensors.push_back(std::move(tensor));
    }
    BITFETCH_RETURN_IF_ERROR(CheckOverlaps(tensors));
    return tensors;
  }

 private:
  // No real file comes near these; they bound what a damaged one can make us do.
  static constexpr uint64_t kMaxHeaderBytes = uint64_t{16} << 20;
  static constexpr size_t kMaxTensors = 1 << 16;
  static constexpr size_t kMaxDims = 8;
  static constexpr int64_t kMaxElements = int64_t{1} << 60;

  template <class... Args>
  tl::unexpected<Error> FailFile(fmt::format_string<Args...> format, Args&&... args) {
    return Fail("{}: {}", file_.path(), fmt::format(format, std::forward<Args>(args)...));
  }

  Result<SafeTensor> ParseTensor(const std::string& name, const JsonValue& entry) {
    const std::string shown = Printable(name);
    SafeTensor tensor;
    tensor.name = name;
    tensor.file = &file_;
    const auto* dtype = entry.Find<std::string>("dtype");
    if (dtype == nullptr) return FailFile("tensor {} has no dtype", shown);
    const auto* known = std::ranges::find(kDtypes, *dtype, &Dtype::name);
    if (known == kDtypes.end()) {
      return FailFile("tensor {} is of the unknown dtype '{}'", shown, Printable(*dtype));
    }
    tensor.dtype = known->name;
    const auto shape = Numbers(entry, "shape");
    if (!shape || shape->size() > kMaxDims) return FailFile("tensor {} has no shape", shown);
    tensor.shape = *shape;
    for (const int64_t size : tensor.shape) {
      if (size == 0) return FailFile("tensor {} has a dimension of 0", shown);
      if (size > kMaxElements / tensor.elements) {
        return FailFile("tensor {} claims more elements than any memory holds", shown);
      }
      tensor.elements *= size;
    }
    const auto offsets = Numbers(entry, "data_offsets");
    if (!offsets || offsets->size() != 2) return FailFile("tensor {} has no data_offsets", shown);
    const int64_t begin = offsets->front(), end = offsets->back();
    if (end < begin || std::cmp_greater(end, data_.size())) {
      return FailFile("tensor {} lies outside the file: at {} to {} of {} bytes of data", shown,
                      begin, end, data_.size());
    }
    if (tensor.elements > (end - begin) / known->bytes ||
        tensor.elements * known->bytes != end - begin) {
      return FailFile("tensor {} has {} bytes for {} elements of {}", shown, end - begin,
                      tensor.elements, tensor.dtype);
    }
    tensor.data = data_.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    return tensor;
  }

  // A list of whole numbers, none negative.
  static std::optional<std::vector<int64_t>> Numbers(const JsonValue& entry, std::string_view key) {
    const auto* list = entry.Find<JsonValue::List>(key);
    if (list == nullptr) return std::nullopt;
    std::vector<int64_t> numbers;
    for (const JsonValue& item : *list) {
      const auto* number = item.As<int64_t>();
      if (number == nullptr || *number < 0) return std::nullopt;
      numbers.push_back(*number);
    }
    return numbers;
  }

  Status CheckOverlaps(const std::vector<SafeTensor>& tensors) {
    std::vector<const SafeTensor*> by_place;
    for (const SafeTensor& tensor : tensors) by_place.push_back(&tensor);
    std::ranges::sort(by_place, {}, [](const SafeTensor* tensor) { return tensor->data.data(); });
    for (size_t i = 1; i < by_place.size(); ++i) {
      const SafeTensor& before = *by_place[i - 1];
      if (before.data.data() + before.data.size() > by_place[i]->data.data()) {
        return FailFile("tensors {} and {} overlap", Printable(before.name),
                        Printable(by_place[i]->name));
      }
    }
    return {};
  }

  const MappedFile& file_;
  std::span<const std::byte> data_;
};

// The file of each tensor, as the index says.
Result<std::map<std::string, std::string>> ReadIndex(const std::string& path) {
  BITFETCH_ASSIGN_OR_RETURN(const JsonValue index, ReadJsonFile(path));
  const auto* map = index.Find<JsonValue::Object>("weight_map");
  if (map == nullptr || map->empty()) return Fail("{}: has no weight_map", path);
  std::map<std::string, std::string> files;
  for (const auto& [tensor, value] : *map) {
    const auto* file = value.As<std::string>();
    // Beside the index, and nowhere else.
    if (file == nullptr || !file->ends_with(".safetensors") || fs::path(*file).has_parent_path()) {
      return Fail("{}: weight_map has no file for {}", path, Printable(tensor));
    }
    files.emplace(tensor, *file);
  }
  return files;
}

// The names of all shards, where one is there without an index.
std::vector<std::string> ShardsBeside(const std::string& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    int number = 0, count = 0, length = 0;
    if (std::sscanf(name.c_str(), "model-%5d-of-%5d.safetensors%n", &number, &count, &length) !=
            2 ||
        std::cmp_not_equal(length, name.size())) {
      continue;
    }
    std::vector<std::string> shards;
    for (int i = 1; i <= count; ++i) {
      shards.push_back(fmt::format("model-{:05}-of-{:05}.safetensors", i, count));
    }
    return shards;
  }
  return {};
}

}  // namespace

std::optional<TensorType> SafeTensor::FloatType() const {
  if (dtype == "F32") return TensorType::kF32;
  if (dtype == "F16") return TensorType::kF16;
  if (dtype == "BF16") return TensorType::kBF16;
  return std::nullopt;
}

const SafeTensor* Safetensors::Find(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}

Status Safetensors::Add(const std::string& path) {
  BITFETCH_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  const auto& file = *files_.emplace_back(std::make_unique<const MappedFile>(std::move(mapped)));
  BITFETCH_ASSIGN_OR_RETURN(std::vector<SafeTensor> tensors, SafetensorsParser(file).Parse());
  for (SafeTensor& tensor : tensors) {
    const auto& stored =
        *storage_.emplace_back(std::make_unique<const SafeTensor>(std::move(tensor)));
    if (!by_name_.emplace(stored.name, &stored).second) {
      return Fail("{}: tensor {} is in another shard too", path, Printable(stored.name));
    }
  }
  return {};
}

Result<Safetensors> Safetensors::OpenFile(const std::string& path) {
  Safetensors opened;
  BITFETCH_RETURN_IF_ERROR(opened.Add(path));
  return opened;
}

Result<Safetensors> Safetensors::OpenFolder(const std::string& folder) {
  const auto in_folder = [&](const std::string& name) { return folder + "/" + name; };
  const std::string index = in_folder("model.safetensors.index.json");
  std::map<std::string, std::string> wanted;
  std::set<std::string> shards;
  if (Exists(index)) {
    BITFETCH_ASSIGN_OR_RETURN(wanted, ReadIndex(index));
    for (const auto& [tensor, file] : wanted) shards.insert(file);
  } else if (Exists(in_folder("model.safetensors"))) {
    shards = {"model.safetensors"};
  } else {
    for (std::string& name : ShardsBeside(folder)) shards.insert(std::move(name));
    if (shards.empty()) return Fail("{}: holds no model.safetensors, nor shards of it", folder);
  }
  Safetensors opened;
  for (const std::string& name : shards) {
    if (!Exists(in_folder(name))) {
      return Fail("{}: the shard {} is missing, one of {}", folder, Printable(name), shards.size());
    }
    BITFETCH_RETURN_IF_ERROR(opened.Add(in_folder(name)));
  }
  for (const auto& [name, file] : wanted) {
    const SafeTensor* tensor = opened.Find(name);
    if (tensor == nullptr || tensor->file->path() != in_folder(file)) {
      return Fail("{}: tensor {} is not in {}", index, Printable(name), Printable(file));
    }
  }
  return opened;
}

}  // namespace bitfetch
