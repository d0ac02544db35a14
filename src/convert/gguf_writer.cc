// SPDX-License-Identifier: Apache-2.0
#include "convert/gguf_writer.h"

#include <concepts>
#include <utility>

namespace bitfetch {
namespace {

template <class T>
constexpr GgufType TypeOf() {
  if constexpr (std::same_as<T, uint8_t>) return GgufType::kUint8;
  if constexpr (std::same_as<T, int8_t>) return GgufType::kInt8;
  if constexpr (std::same_as<T, uint16_t>) return GgufType::kUint16;
  if constexpr (std::same_as<T, int16_t>) return GgufType::kInt16;
  if constexpr (std::same_as<T, uint32_t>) return GgufType::kUint32;
  if constexpr (std::same_as<T, int32_t>) return GgufType::kInt32;
  if constexpr (std::same_as<T, float>) return GgufType::kFloat32;
  if constexpr (std::same_as<T, bool>) return GgufType::kBool;
  if constexpr (std::same_as<T, uint64_t>) return GgufType::kUint64;
  if constexpr (std::same_as<T, int64_t>) return GgufType::kInt64;
  if constexpr (std::same_as<T, double>) return GgufType::kFloat64;
  return GgufType::kString;
}

template <class T>
void Put(std::string* out, const T& value) {
  if constexpr (TypeOf<T>() == GgufType::kString) {
    Put(out, uint64_t{value.size()});
    out->append(value);
  } else {
    out->append(reinterpret_cast<const char*>(&value), sizeof value);
  }
}

void PutType(std::string* out, GgufType type) { Put(out, static_cast<uint32_t>(type)); }

}  // namespace

GgufWriter::GgufWriter(uint32_t version, int64_t alignment)
    : version_(version), alignment_(alignment) {
  if (alignment != 32) Add<uint32_t>("general.alignment", static_cast<uint32_t>(alignment));
}

template <class T>
void GgufWriter::Add(std::string_view key, const T& value) {
  Put(&metadata_, key);
  PutType(&metadata_, TypeOf<T>());
  Put(&metadata_, value);
  ++key_count_;
}

template <class T>
void GgufWriter::AddArray(std::string_view key, std::span<const T> values) {
  Put(&metadata_, key);
  PutType(&metadata_, GgufType::kArray);
  PutType(&metadata_, TypeOf<T>());
  Put(&metadata_, uint64_t{values.size()});
  for (const T& value : values) Put(&metadata_, value);
  ++key_count_;
}

void GgufWriter::AddTensor(std::string_view name, TensorType type, std::span<const int64_t> shape) {
  int64_t elements = 1;
  Put(&table_, name);
  Put(&table_, static_cast<uint32_t>(shape.size()));
  for (const int64_t size : shape) {
    Put(&table_, static_cast<uint64_t>(size));
    elements *= size;
  }
  Put(&table_, static_cast<uint32_t>(type));
  Put(&table_, static_cast<uint64_t>(next_offset_));
  const int64_t bytes = TensorBytes(type, elements);
  tensors_.push_back({std::string(name), bytes});
  next_offset_ += (bytes + alignment_ - 1) / alignment_ * alignment_;
}

Status GgufWriter::Open(const std::string& path) {
  path_ = path;
  std::string header = "GGUF";
  Put(&header, version_);
  Put(&header, uint64_t{tensors_.size()});
  Put(&header, key_count_);
  const size_t tables = header.size() + metadata_.size() + table_.size();
  BITFETCH_ASSIGN_OR_RETURN(
      file_, FileWriter::Create(path, static_cast<int64_t>(tables) + alignment_ + next_offset_));
  BITFETCH_RETURN_IF_ERROR(file_->Append(header));
  BITFETCH_RETURN_IF_ERROR(file_->Append(metadata_));
  BITFETCH_RETURN_IF_ERROR(file_->Append(table_));
  return Pad();
}

Status GgufWriter::Pad() {
  const int64_t past = file_->size() % alignment_;
  if (past == 0) return {};
  return file_->Append(std::string(static_cast<size_t>(alignment_ - past), '\0'));
}

Status GgufWriter::Append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  if (current_ == tensors_.size()) {
    return Fail("{}: data after the last tensor's", path_);
  }
  const Tensor& tensor = tensors_[current_];
  written_ += static_cast<int64_t>(bytes.size());
  if (written_ > tensor.bytes) {
    return Fail("{}: {} bytes for tensor {} of {}", path_, written_, tensor.name, tensor.bytes);
  }
  BITFETCH_RETURN_IF_ERROR(file_->Append(bytes));
  if (written_ < tensor.bytes) return {};
  ++current_;
  written_ = 0;
  return Pad();
}

Status GgufWriter::Commit() {
  if (current_ < tensors_.size()) {
    return Fail("{}: the data of tensor {} is missing", path_, tensors_[current_].name);
  }
  return file_->Commit();
}

#define BITFETCH_GGUF_WRITES(T)                              \
  template void GgufWriter::Add(std::string_view, const T&); \
  template void GgufWriter::AddArray(std::string_view, std::span<const T>)
BITFETCH_GGUF_WRITES(uint8_t);
BITFETCH_GGUF_WRITES(int8_t);
BITFETCH_GGUF_WRITES(uint16_t);
BITFETCH_GGUF_WRITES(int16_t);
BITFETCH_GGUF_WRITES(uint32_t);
BITFETCH_GGUF_WRITES(int32_t);
BITFETCH_GGUF_WRITES(float);
BITFETCH_GGUF_WRITES(bool);
BITFETCH_GGUF_WRITES(std::string_view);
BITFETCH_GGUF_WRITES(std::string);
BITFETCH_GGUF_WRITES(uint64_t);
BITFETCH_GGUF_WRITES(int64_t);
BITFETCH_GGUF_WRITES(double);
#undef BITFETCH_GGUF_WRITES

}  // namespace bitfetch
