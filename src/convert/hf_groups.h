// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_HF_GROUPS_H_
#define BITFETCH_CONVERT_HF_GROUPS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "convert/safetensors.h"

namespace bitfetch {

// What MLX stores beside codes, each [rows][cols / group].
struct MlxGroups {
  const SafeTensor* scales = nullptr;
  const SafeTensor* biases = nullptr;
  int64_t group = 0;  // columns, a multiple of HfGroups::kColumns
};

// The weights of a matrix in a Hugging Face folder that are ternary by group, row by row: each
// group of neighbours in a row has a scale s of its own, and weights of -s, 0, s and, which is
// rare, 2 s. They are stored as
//
//   floats                    they are the weights
//   U32 [rows][cols / 16]     MLX's two bits: code of column c in bits 2 * (c % 16) of word c / 16,
//                             weight = scale * code + bias
//
// Source: https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html
class HfGroups {
 public:
  static constexpr int64_t kColumns = 64;  // of a group, those of Q2_0

  // Errors name the tensor: another dtype, a shape that is not [rows][cols], scales or biases that
  // are missing or of another shape.
  static Result<HfGroups> Open(const SafeTensor& weight, const MlxGroups& mlx, int64_t rows,
                               int64_t cols);

  // Weight = (code - 1) * scale: codes[cols] of 0 to 3, float16 scales[cols / kColumns], to which
  // those that are no float16 are rounded. Errors name the tensor and the group: it is not ternary,
  // has values that are not finite, or a scale that is too large or small for float16.
  Status ReadRow(int64_t row, std::span<uint8_t> codes, std::span<uint16_t> scales);

 private:
  HfGroups(const SafeTensor& weight, const MlxGroups& mlx, int64_t cols)
      : weight_(&weight), mlx_(mlx), row_(static_cast<size_t>(cols)) {}
  void ReadFloats(int64_t row);

  const SafeTensor* weight_;
  MlxGroups mlx_;
  std::vector<float> row_;
  std::vector<float> scales_, biases_;  // of a row of MLX's
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_HF_GROUPS_H_
