// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_GGUF_WRITER_H_
#define BITFETCH_CONVERT_GGUF_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "model/gguf_value.h"
#include "model/tensor_type.h"

namespace bitfetch {

// Writes a GGUF file of any size: first declare all of it, then hand over the data of the tensors,
// one after the other, in pieces as they come.
//
//   GgufWriter writer;
//   writer.Add<uint32_t>("llama.block_count", 2);
//   writer.AddTensor("output_norm.weight", TensorType::kF32, {{256}});
//   BITFETCH_RETURN_IF_ERROR(writer.Open(path));
//   BITFETCH_RETURN_IF_ERROR(writer.Append(bytes));  // of output_norm.weight
//   return writer.Commit();
class GgufWriter {
 public:
  // Version 2 or 3, which differ by their number alone.
  explicit GgufWriter(uint32_t version = 3, int64_t alignment = 32);

  // T is an integer type, float, double, bool, std::string_view or std::string; always name it, for
  // it is the type in the file.
  template <class T>
  void Add(std::string_view key, const T& value);
  template <class T>
  void AddArray(std::string_view key, std::span<const T> values);

  // `shape` innermost first, as GGUF has it: {cols, rows}.
  void AddTensor(std::string_view name, TensorType type, std::span<const int64_t> shape);

  // Everything up to the first tensor's data. Nothing can be declared after it. An error, too,
  // where the disk has no room for the whole file.
  Status Open(const std::string& path);

  // The next bytes of tensor data; a piece lies in one tensor. What pads tensors to the alignment
  // is added here. Handing over more or less than was declared is an error.
  Status Append(std::span<const std::byte> bytes);

  // Gives the file its name; until then what was there is untouched.
  Status Commit();

 private:
  struct Tensor {
    std::string name;
    int64_t bytes;
  };

  Status Pad();  // to the alignment

  uint32_t version_;
  int64_t alignment_;
  std::string path_;
  uint64_t key_count_ = 0;
  std::string metadata_;  // as it will stand in the file
  std::string table_;     // likewise
  std::vector<Tensor> tensors_;
  int64_t next_offset_ = 0;
  std::optional<FileWriter> file_;
  size_t current_ = 0;   // the tensor that is being filled
  int64_t written_ = 0;  // of its bytes
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_GGUF_WRITER_H_
