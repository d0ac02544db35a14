// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_CONVERT_TENSOR_H_
#define BITFETCH_CONVERT_CONVERT_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "convert/gguf_writer.h"
#include "convert/hf_groups.h"
#include "convert/hf_ternary.h"
#include "convert/safetensors.h"
#include "model/tensor_type.h"

namespace bitfetch {

// A tensor of a Hugging Face folder, and what it becomes in GGUF.
struct TensorToConvert {
  const SafeTensor* weight = nullptr;
  const SafeTensor* scale = nullptr;  // of the whole tensor; null: none
  MlxGroups mlx = {};
  std::string name;  // in GGUF
  TensorType type;   // F32, F16, I2_S or Q2_0
  int64_t rows = 1;
  int64_t cols = 0;
  bool is_vector = false;  // [cols], rather than [rows][cols]
  float plus = 0;          // to be added to each element
  // Not 0: within each head of so many rows, those that RoPE turns together lie half a head apart,
  // and are to be neighbours.
  int64_t paired_head_dim = 0;
};

// Writes the data of tensors that are declared in `writer`, a few rows at a time, whatever their
// size. Errors name the tensor: weights that are not ternary, damaged values, a full disk.
class TensorConverter {
 public:
  // `progress` hears of bytes.
  TensorConverter(const HfTernaryRules& rules, GgufWriter& writer, int64_t total_bytes,
                  const Progress& progress)
      : rules_(rules), writer_(writer), total_bytes_(total_bytes), progress_(progress) {}

  Status Write(const TensorToConvert& tensor);

 private:
  Status WriteTernary(const TensorToConvert& tensor);
  Status WriteGroups(const TensorToConvert& tensor);
  Status WriteFloats(const TensorToConvert& tensor);
  template <class Fill>
  Status WriteRows(const TensorToConvert& tensor, const Fill& fill);
  Status Append(std::span<const std::byte> bytes);

  const HfTernaryRules& rules_;
  GgufWriter& writer_;
  int64_t total_bytes_;
  const Progress& progress_;
  int64_t written_bytes_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_CONVERT_TENSOR_H_
