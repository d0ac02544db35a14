// SPDX-License-Identifier: Apache-2.0
// GGUF files, versions 2 and 3, little-endian: metadata (keys with typed values) and tensors.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#ifndef BITFETCH_MODEL_GGUF_READER_H_
#define BITFETCH_MODEL_GGUF_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "model/gguf_value.h"
#include "model/tensor_type.h"

namespace bitfetch {

// A tensor where it lies in the file.
struct GgufTensor {
  std::string_view name;
  TensorType type;
  std::array<int64_t, 4> shape;  // innermost first, as stored: [cols, rows, 1, 1]
  int64_t elements;              // their product
  std::span<const std::byte> data;

  int64_t cols() const { return shape[0]; }
  int64_t rows() const { return elements / shape[0]; }

  // Where rows are whole packs: in every type but I2_S.
  int64_t row_bytes() const { return cols() / PackElements(type) * PackBytes(type); }
  const std::byte* Row(int64_t row) const { return data.data() + row * row_bytes(); }
};

class GgufReader {
 public:
  // Reads the header, metadata and tensor table, checking everything that the file says of itself;
  // tensor data is not touched. All views below point into the file and live as long as this object
  // or what it was moved to. Costs milliseconds for a vocabulary of 128 K tokens, and memory for
  // the names alone. Errors name the file and what is wrong with it.
  static Result<GgufReader> Open(const std::string& path, bool mmap = true,
                                 const Progress& progress = {});

  const std::string& path() const { return file_.path(); }
  bool mapped() const { return file_.mapped(); }
  void LetGo(std::span<const std::byte> part) const { file_.LetGo(part); }  // MappedFile::LetGo
  std::span<const std::byte> bytes() const { return file_.bytes(); }
  int64_t file_bytes() const { return static_cast<int64_t>(file_.bytes().size()); }
  uint32_t version() const { return version_; }
  // Whether its tensors of PQ2_0 are called Q2_0, as those of older files are.
  bool old_q2_0() const { return old_q2_0_; }

  // Metadata as T: int64_t (stored in any width), float or double (in 32 or 64 bits), bool or
  // std::string_view. Without a fallback, a key that is missing is an error; one of another type
  // always is.
  bool Has(std::string_view key) const { return values_.contains(key); }
  template <class T>
  Result<T> Get(std::string_view key) const;
  template <class T>
  Result<T> Get(std::string_view key, std::type_identity_t<T> fallback) const {
    return Has(key) ? Get<T>(key) : fallback;
  }
  // A key that has this in it; empty: there is none. Costs a pass over the keys.
  std::string_view KeyWith(std::string_view part) const;
  // Costs a pass over the array.
  template <class T>
  Result<std::vector<T>> GetArray(std::string_view key) const;

  // Tensors, in the order of the table.
  std::span<const GgufTensor> tensors() const { return tensors_; }
  const GgufTensor* FindTensor(std::string_view name) const;  // null where there is none
  Result<const GgufTensor*> GetTensor(std::string_view name) const;

 private:
  friend class GgufParser;

  explicit GgufReader(MappedFile file) : file_(std::move(file)) {}
  Result<const GgufValue*> Find(std::string_view key) const;
  Error AboutKey(std::string_view key, const Error& error) const;

  MappedFile file_;
  uint32_t version_ = 0;
  bool old_q2_0_ = false;
  std::map<std::string_view, GgufValue> values_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string_view, size_t> tensor_index_;
};

template <class T>
Result<T> GgufReader::Get(std::string_view key) const {
  BITFETCH_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  return ScalarAs<T>(*value).map_error([&](const Error& error) { return AboutKey(key, error); });
}

template <class T>
Result<std::vector<T>> GgufReader::GetArray(std::string_view key) const {
  BITFETCH_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  return ArrayAs<T>(*value).map_error([&](const Error& error) { return AboutKey(key, error); });
}

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_GGUF_READER_H_
