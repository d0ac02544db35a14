// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_groups.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/float16.h"
#include "model/dequantize.h"

namespace bitfetch {
namespace {

constexpr int64_t kMlxCodesInWord = 16;
constexpr float kMaxF16 = 65504;

Status CheckShape(const SafeTensor& tensor, int64_t rows, int64_t cols) {
  if (tensor.shape == std::vector<int64_t>{rows, cols}) return {};
  return FailAbout(tensor, "is of shape [{}]: wanted {} x {}", fmt::join(tensor.shape, ", "), rows,
                   cols);
}

void ReadFloatRow(const SafeTensor& tensor, int64_t row, std::span<float> out) {
  const size_t row_bytes = tensor.data.size() / static_cast<size_t>(tensor.shape[0]);
  DequantizeRow(*tensor.FloatType(), tensor.data.data() + static_cast<size_t>(row) * row_bytes,
                static_cast<int64_t>(out.size()), out.data());
}

}  // namespace

Result<HfGroups> HfGroups::Open(const SafeTensor& weight, const MlxGroups& mlx, int64_t rows,
                                int64_t cols) {
  if (cols % kColumns != 0) {
    return FailAbout(weight, "has rows of {} weights, not a multiple of {}", cols, kColumns);
  }
  if (weight.FloatType()) {
    BITFETCH_RETURN_IF_ERROR(CheckShape(weight, rows, cols));
    if (mlx.scales != nullptr) return FailAbout(weight, "has scales beside it, and is of floats");
    return HfGroups(weight, {}, cols);
  }
  if (weight.dtype != "U32" || mlx.group == 0) {
    return FailAbout(weight, "is of dtype {}: wanted floats, or MLX's U32", weight.dtype);
  }
  BITFETCH_RETURN_IF_ERROR(CheckShape(weight, rows, cols / kMlxCodesInWord));
  if (cols % mlx.group != 0) {
    return FailAbout(weight, "has rows of {} weights, not a multiple of {}", cols, mlx.group);
  }
  for (const SafeTensor* each : {mlx.scales, mlx.biases}) {
    if (each == nullptr) return FailAbout(weight, "has no scales or no biases beside it");
    if (!each->FloatType()) return FailAbout(*each, "is of dtype {}: wanted floats", each->dtype);
    BITFETCH_RETURN_IF_ERROR(CheckShape(*each, rows, cols / mlx.group));
  }
  return HfGroups(weight, mlx, cols);
}

void HfGroups::ReadFloats(int64_t row) {
  if (mlx_.group == 0) return ReadFloatRow(*weight_, row, row_);
  const size_t groups = row_.size() / static_cast<size_t>(mlx_.group);
  scales_.resize(groups);
  biases_.resize(groups);
  ReadFloatRow(*mlx_.scales, row, scales_);
  ReadFloatRow(*mlx_.biases, row, biases_);
  const std::byte* words = weight_->data.data() + static_cast<size_t>(row) * row_.size() / 4;
  for (size_t col = 0; col < row_.size(); ++col) {
    const auto code = static_cast<int>(words[col / 4]) >> 2 * (col % 4) & 3;
    const size_t group = col / static_cast<size_t>(mlx_.group);
    row_[col] = scales_[group] * static_cast<float>(code) + biases_[group];
  }
}

Status HfGroups::ReadRow(int64_t row, std::span<uint8_t> codes, std::span<uint16_t> scales) {
  ReadFloats(row);
  for (size_t group = 0; group < scales.size(); ++group) {
    const size_t first = group * kColumns;
    const float* weights = row_.data() + first;
    float max = 0, min = std::numeric_limits<float>::infinity();  // of magnitudes that are not zero
    for (int64_t i = 0; i < kColumns; ++i) {
      const float magnitude = std::abs(weights[i]);
      max = std::max(max, magnitude);
      min = std::min(min, magnitude == 0 ? std::numeric_limits<float>::infinity() : magnitude);
    }
    int others = 0;
    for (int64_t i = 0; i < kColumns; ++i) {
      const int one = weights[i] == min, two = weights[i] == 2 * min, less = weights[i] == -min;
      codes[first + static_cast<size_t>(i)] = static_cast<uint8_t>(1 + one + 2 * two - less);
      others += 1 - one - two - less - (weights[i] == 0);
    }
    if (others != 0 || !std::isfinite(max)) {
      return FailAbout(*weight_, "is not ternary by group: row {}, columns {} to {}", row, first,
                       first + kColumns - 1);
    }
    const float scale = max == 0 ? 0 : min;
    scales[group] = F32ToF16(scale);
    if (scale > kMaxF16 || (scales[group] == 0 && scale != 0)) {
      return FailAbout(*weight_, "has a scale of {} in row {}, column {}, which no float16 is",
                       scale, row, first);
    }
  }
  return {};
}

}  // namespace bitfetch
