// SPDX-License-Identifier: Apache-2.0
// Safetensors, in which Hugging Face's folders hold weights: the length of a header (64 bits), the
// header (a JSON object of tensors), then their data.
// Format: https://github.com/huggingface/safetensors#format
#ifndef BITFETCH_CONVERT_SAFETENSORS_H_
#define BITFETCH_CONVERT_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/printable.h"
#include "model/tensor_type.h"

namespace bitfetch {

// A tensor where it lies in its file.
struct SafeTensor {
  std::string name;
  std::string_view dtype;      // as the format writes it: "BF16", "U8"
  std::vector<int64_t> shape;  // outermost first, as stored: [rows, cols]
  int64_t elements = 1;        // their product
  std::span<const std::byte> data;
  const MappedFile* file = nullptr;

  // F32, F16 or BF16; none for other dtypes.
  std::optional<TensorType> FloatType() const;
};

// What is wrong with a tensor: "is of shape [3]".
template <class... Args>
tl::unexpected<Error> FailAbout(const SafeTensor& tensor, fmt::format_string<Args...> format,
                                Args&&... args) {
  return Fail("{}: tensor {} {}", tensor.file->path(), Printable(tensor.name),
              fmt::format(format, std::forward<Args>(args)...));
}

// Keeps a tensor that is read from front to back from filling the memory of this process: every now
// and then what was read of its file is let go (MappedFile::LetGo).
class BoundedReading {
 public:
  explicit BoundedReading(const SafeTensor& tensor) : tensor_(tensor) {}
  ~BoundedReading() { LetGo(); }
  BoundedReading(const BoundedReading&) = delete;
  BoundedReading& operator=(const BoundedReading&) = delete;

  // So many bytes more were read.
  void Add(int64_t bytes) {
    held_ += bytes;
    if (held_ >= kMaxBytes) LetGo();
  }

 private:
  static constexpr int64_t kMaxBytes = int64_t{64} << 20;

  void LetGo() {
    tensor_.file->LetGo(tensor_.data);
    held_ = 0;
  }

  const SafeTensor& tensor_;
  int64_t held_ = 0;
};

// The tensors of one file or of all the shards of a model.
class Safetensors {
 public:
  // Maps one file. Checks everything that its header says; tensor data is not touched. Errors name
  // the file and what is wrong with it.
  static Result<Safetensors> OpenFile(const std::string& path);

  // All that a folder holds: what model.safetensors.index.json lists, or model.safetensors, or all
  // of model-00001-of-0000N.safetensors. Errors, beside those of a file: none of them is there, a
  // shard is missing, a tensor is not where the index says or is in two shards.
  static Result<Safetensors> OpenFolder(const std::string& folder);

  // By name.
  const std::map<std::string_view, const SafeTensor*>& tensors() const { return by_name_; }
  const SafeTensor* Find(std::string_view name) const;  // null where there is none

 private:
  Status Add(const std::string& path);

  // Neither moves when this does.
  std::vector<std::unique_ptr<const MappedFile>> files_;
  std::vector<std::unique_ptr<const SafeTensor>> storage_;
  std::map<std::string_view, const SafeTensor*> by_name_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_SAFETENSORS_H_
