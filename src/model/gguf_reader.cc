// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/printable.h"

namespace bitfetch {
namespace {

// No real file comes near these; they bound what a damaged one can make us allocate.
constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 16;
constexpr uint64_t kLongestKey = 65535;      // by the format
constexpr uint64_t kLongestTensorName = 64;  // by the format
constexpr int64_t kMaxElements = int64_t{1} << 60;
constexpr int64_t kDefaultAlignment = 32;
constexpr int64_t kLargestAlignment = 1 << 16;

}  // namespace

// Walks the file from its first byte to the end of the tensor table.
class GgufParser {
 public:
  explicit GgufParser(GgufReader* reader)
      : reader_(reader),
        begin_(reader->file_.bytes().data()),
        at_(begin_),
        end_(begin_ + reader->file_.bytes().size()) {}

  Status Parse() {
    BITFETCH_RETURN_IF_ERROR(ParseHeader());
    for (uint64_t i = 0; i < key_count_; ++i) BITFETCH_RETURN_IF_ERROR(ParseKey(i));
    BITFETCH_RETURN_IF_ERROR(CheckSplit());
    for (uint64_t i = 0; i < tensor_count_; ++i) BITFETCH_RETURN_IF_ERROR(ParseTensor(i));
    return PlaceTensors();
  }

 private:
  template <class... Args>
  tl::unexpected<Error> FailFile(fmt::format_string<Args...> format, Args&&... args) {
    return Fail("{}: {}", reader_->path(), fmt::format(format, std::forward<Args>(args)...));
  }
  tl::unexpected<Error> FailCut(std::string_view inside) {
    return FailFile("is cut short or damaged: it ends inside {}", inside);
  }

  uint64_t Left() const { return static_cast<uint64_t>(end_ - at_); }

  template <class T>
  bool Read(T* value) {
    if (Left() < sizeof *value) return false;
    std::memcpy(value, at_, sizeof *value);
    at_ += sizeof *value;
    return true;
  }
  bool ReadString(std::string_view* text) {
    uint64_t length;
    if (!Read(&length) || length > Left()) return false;
    *text = {reinterpret_cast<const char*>(at_), length};
    at_ += length;
    return true;
  }

  Status ParseHeader() {
    const std::string_view start(reinterpret_cast<const char*>(begin_),
                                 std::min<uint64_t>(Left(), 4));
    if (start != "GGUF") return FailFile("is not a GGUF file");
    at_ += 4;
    if (!Read(&reader_->version_)) return FailCut("the header");
    const uint32_t version = reader_->version_;
    if (version == 0x02000000 || version == 0x03000000) {
      return FailFile("is a big-endian GGUF file: only little-endian ones can be read");
    }
    if (version != 2 && version != 3) {
      return FailFile("is of GGUF version {}: only 2 and 3 can be read", version);
    }
    if (!Read(&tensor_count_) || !Read(&key_count_)) return FailCut("the header");
    if (key_count_ > kMaxKeys) return FailFile("claims to have {} metadata keys", key_count_);
    if (tensor_count_ > kMaxTensors) return FailFile("claims to have {} tensors", tensor_count_);
    return {};
  }

  Status ParseKey(uint64_t index) {
    std::string_view key;
    if (!ReadString(&key)) return FailCut(fmt::format("the name of metadata key {}", index));
    if (key.empty() || key.size() > kLongestKey || !IsPrintableAscii(key)) {
      return FailFile("metadata key {} has the bad name '{}'", index, Printable(key));
    }
    uint32_t type;
    if (!Read(&type)) return FailCut(fmt::format("metadata key {}", Printable(key)));
    constexpr uint32_t kArray = static_cast<uint32_t>(GgufType::kArray);
    const bool is_array = type == kArray;
    uint64_t count = 1;
    if (is_array) {
      if (!Read(&type) || !Read(&count)) {
        return FailCut(fmt::format("metadata key {}", Printable(key)));
      }
      if (type == kArray) {
        return FailFile("metadata key {} is an array of arrays, which is not supported",
                        Printable(key));
      }
    }
    if (type > static_cast<uint32_t>(GgufType::kFloat64)) {
      return FailFile("metadata key {} is of the unknown type {}", Printable(key), type);
    }
    const GgufValue value{static_cast<GgufType>(type), is_array, count, at_};
    if (!Skip(value)) return FailCut(fmt::format("the value of metadata key {}", Printable(key)));
    if (!reader_->values_.emplace(key, value).second) {
      return FailFile("metadata key {} occurs twice", Printable(key));
    }
    return {};
  }

  bool Skip(const GgufValue& value) {
    if (value.type != GgufType::kString) {
      const size_t bytes = GgufTypeBytes(value.type);
      if (value.count > Left() / bytes) return false;
      at_ += value.count * bytes;
      return true;
    }
    std::string_view text;
    for (uint64_t i = 0; i < value.count; ++i) {
      if (!ReadString(&text)) return false;
    }
    return true;
  }

  // The first is told.
  void SetObstacle(const tl::unexpected<Error>& error) {
    if (!reader_->obstacle_) reader_->obstacle_ = error.value();
  }

  Status CheckSplit() {
    BITFETCH_ASSIGN_OR_RETURN(const int64_t parts, reader_->Get<int64_t>("split.count", 1));
    if (parts > 1) {
      SetObstacle(FailFile(
          "is one of the {} parts of a split model: join them first (llama-gguf-split --merge)",
          parts));
    }
    return {};
  }

  Status ParseTensor(uint64_t index) {
    GgufTensor tensor;
    if (!ReadString(&tensor.name)) return FailCut(fmt::format("the name of tensor {}", index));
    const std::string name = Printable(tensor.name);
    if (tensor.name.empty() || tensor.name.size() > kLongestTensorName ||
        !IsPrintableAscii(tensor.name)) {
      return FailFile("tensor {} has the bad name '{}'", index, name);
    }
    uint32_t dims;
    if (!Read(&dims)) return FailCut(fmt::format("the table at tensor {}", name));
    if (dims > 4) return FailFile("tensor {} has {} dimensions", name, dims);
    tensor.shape = {1, 1, 1, 1};
    tensor.elements = 1;
    for (uint32_t i = 0; i < dims; ++i) {
      uint64_t size;
      if (!Read(&size)) return FailCut(fmt::format("the table at tensor {}", name));
      if (size == 0) return FailFile("tensor {} has a dimension of 0", name);
      if (size > static_cast<uint64_t>(kMaxElements / tensor.elements)) {
        return FailFile("tensor {} claims more elements than any memory holds", name);
      }
      tensor.shape[i] = static_cast<int64_t>(size);
      tensor.elements *= tensor.shape[i];
    }
    uint32_t number;
    uint64_t offset;
    if (!Read(&number) || !Read(&offset))
      return FailCut(fmt::format("the table at tensor {}", name));
    const Result<TensorType> type = TensorTypeOf(number);
    if (!type) {
      SetObstacle(FailFile("tensor {} {}", name, type.error().message));
      GgufReader::TypeCount& count = reader_->other_types_[number];
      ++count.tensors;
      count.elements += tensor.elements;
      other_offsets_.push_back(offset);
      return {};
    }
    tensor.type = *type;
    const int64_t pack = PackElements(*type);
    const int64_t in_packs = *type == TensorType::kI2_S ? tensor.elements : tensor.cols();
    if (in_packs % pack != 0) {
      return FailFile("tensor {} has {} of {} elements, not a multiple of {}, as {} needs", name,
                      *type == TensorType::kI2_S ? "a total" : "rows", in_packs, pack,
                      TensorTypeName(*type));
    }
    if (!reader_->tensor_index_.emplace(tensor.name, reader_->tensors_.size()).second) {
      return FailFile("tensor {} occurs twice", name);
    }
    reader_->tensors_.push_back(tensor);
    offsets_.push_back(offset);
    return {};
  }

  // Offsets count from the first aligned place after the table.
  Status PlaceTensors() {
    BITFETCH_ASSIGN_OR_RETURN(const int64_t alignment,
                              reader_->Get<int64_t>("general.alignment", kDefaultAlignment));
    if (alignment < 8 || alignment > kLargestAlignment ||
        !std::has_single_bit(static_cast<uint64_t>(alignment))) {
      return FailFile("general.alignment is {}: wanted a power of two from 8 to {}", alignment,
                      kLargestAlignment);
    }
    const uint64_t step = static_cast<uint64_t>(alignment);
    const uint64_t table_end = static_cast<uint64_t>(at_ - begin_);
    const uint64_t data_begin = (table_end + step - 1) / step * step;
    const uint64_t file_end = static_cast<uint64_t>(end_ - begin_);
    const uint64_t data_bytes = file_end > data_begin ? file_end - data_begin : 0;
    if (HasOldQ2_0(data_bytes, step)) {
      reader_->old_q2_0_ = true;
      for (GgufTensor& tensor : reader_->tensors_) {
        if (tensor.type == TensorType::kQ2_0) tensor.type = TensorType::kPQ2_0;
      }
    }
    for (size_t i = 0; i < offsets_.size(); ++i) {
      GgufTensor& tensor = reader_->tensors_[i];
      const uint64_t bytes = static_cast<uint64_t>(TensorBytes(tensor.type, tensor.elements));
      if (offsets_[i] % step != 0) {
        return FailFile("tensor {} is at offset {}, not a multiple of the alignment {}",
                        Printable(tensor.name), offsets_[i], alignment);
      }
      if (offsets_[i] > data_bytes || bytes > data_bytes - offsets_[i]) {
        return FailFile(
            "tensor {} ends outside the file: {} bytes at offset {}, of {} bytes of data",
            Printable(tensor.name), bytes, offsets_[i], data_bytes);
      }
      tensor.data = {begin_ + data_begin + offsets_[i], bytes};
    }
    return CheckOverlaps();
  }

  // Whether Q2_0 is in groups of 128, which take less: tensors have no room for groups of 64, and
  // all of them just that for groups of 128. Else a file was cut.
  bool HasOldQ2_0(uint64_t data_bytes, uint64_t alignment) const {
    std::vector<uint64_t> places = other_offsets_;
    places.insert(places.end(), offsets_.begin(), offsets_.end());
    places.push_back(data_bytes);
    std::sort(places.begin(), places.end());
    bool too_small = false;
    for (size_t i = 0; i < offsets_.size(); ++i) {
      const GgufTensor& tensor = reader_->tensors_[i];
      if (tensor.type != TensorType::kQ2_0) continue;
      const auto end = std::upper_bound(places.begin(), places.end(), offsets_[i]);
      const uint64_t room = end == places.end() ? 0 : *end - offsets_[i];
      const auto needed = [&](TensorType type) {
        return static_cast<uint64_t>(TensorBytes(type, tensor.elements));
      };
      const uint64_t old = needed(TensorType::kPQ2_0);
      if (tensor.cols() % PackElements(TensorType::kPQ2_0) != 0 || room < old ||
          room - old >= alignment) {
        return false;
      }
      too_small |= room < needed(TensorType::kQ2_0);
    }
    return too_small;
  }

  Status CheckOverlaps() {
    std::vector<const GgufTensor*> by_place;
    by_place.reserve(reader_->tensors_.size());
    for (const GgufTensor& tensor : reader_->tensors_) by_place.push_back(&tensor);
    std::sort(by_place.begin(), by_place.end(), [](const GgufTensor* a, const GgufTensor* b) {
      return a->data.data() < b->data.data();
    });
    for (size_t i = 1; i < by_place.size(); ++i) {
      const GgufTensor& before = *by_place[i - 1];
      if (before.data.data() + before.data.size() > by_place[i]->data.data()) {
        return FailFile("tensors {} and {} overlap", Printable(before.name),
                        Printable(by_place[i]->name));
      }
    }
    return {};
  }

  GgufReader* reader_;
  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  uint64_t key_count_ = 0;
  uint64_t tensor_count_ = 0;
  std::vector<uint64_t> offsets_;        // of the tensors, as the table says
  std::vector<uint64_t> other_offsets_;  // of those of types that are not read
};

Result<GgufReader> GgufReader::Open(const std::string& path, bool mmap, const Progress& progress) {
  BITFETCH_ASSIGN_OR_RETURN(GgufReader reader, OpenAny(path, mmap, progress));
  if (reader.obstacle_) return tl::unexpected(*reader.obstacle_);
  return reader;
}

Result<GgufReader> GgufReader::OpenAny(const std::string& path, bool mmap,
                                       const Progress& progress) {
  BITFETCH_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path, mmap, progress));
  GgufReader reader(std::move(file));
  BITFETCH_RETURN_IF_ERROR(GgufParser(&reader).Parse());
  return reader;
}

std::string_view GgufReader::KeyWith(std::string_view part) const {
  for (const auto& [key, value] : values_) {
    if (key.find(part) != key.npos) return key;
  }
  return {};
}

Result<const GgufValue*> GgufReader::Find(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return Fail("{}: metadata key {} is missing", path(), Printable(key));
  return &found->second;
}

Error GgufReader::AboutKey(std::string_view key, const Error& error) const {
  return Error(fmt::format("{}: metadata key {} {}", path(), Printable(key), error.message));
}

const GgufTensor* GgufReader::FindTensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

Result<const GgufTensor*> GgufReader::GetTensor(std::string_view name) const {
  if (const GgufTensor* tensor = FindTensor(name)) return tensor;
  return Fail("{}: tensor {} is missing", path(), Printable(name));
}

}  // namespace bitfetch
