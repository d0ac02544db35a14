// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_ternary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "model/dequantize.h"

namespace bitfetch {
namespace {

constexpr int kCodesInByte = 4;
constexpr float kMinMean = 1e-5f;

Result<float> ReadScale(const SafeTensor& tensor) {
  const auto type = tensor.FloatType();
  if (!type || tensor.elements != 1) return FailAbout(tensor, "is no scale: wanted one float");
  float scale = 0;
  DequantizeRow(*type, tensor.data.data(), 1, &scale);
  if (scale > 0 && std::isfinite(scale)) return scale;
  return FailAbout(tensor, "is damaged: a scale of {}", scale);
}

// Of a row, in 16 sums side by side.
struct Magnitudes {
  std::array<double, 16> sums{};
  std::array<float, 16> max{};
  std::array<float, 16> min;  // of those that are not zero

  Magnitudes() { min.fill(std::numeric_limits<float>::infinity()); }

  void Add(const float* values, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const float magnitude = std::abs(values[i]);
      sums[i] += static_cast<double>(magnitude);
      max[i] = std::max(max[i], magnitude);
      min[i] =
          std::min(min[i], magnitude == 0 ? std::numeric_limits<float>::infinity() : magnitude);
    }
  }
  void Add(std::span<const float> row) {
    size_t i = 0;
    for (; i + sums.size() <= row.size(); i += sums.size()) Add(row.data() + i, sums.size());
    Add(row.data() + i, row.size() - i);
  }
};

// Codes of values * inverse, rounded half to even and limited to -1 ... 1.
void Round(const float* values, float inverse, size_t count, uint8_t* codes) {
  for (size_t i = 0; i < count; ++i) {
    const float scaled = values[i] * inverse;
    codes[i] = static_cast<uint8_t>(1 + (scaled > 0.5f) - (scaled < -0.5f));
  }
}

}  // namespace

Result<HfTernary> HfTernary::Open(const SafeTensor& weight, const SafeTensor* scale, int64_t rows,
                                  int64_t cols, const HfTernaryRules& rules) {
  HfTernary matrix(weight, rows, cols);
  if (!matrix.floats_ && weight.dtype != "U8") {
    return FailAbout(weight, "is of dtype {}: wanted floats, or U8 with a scale", weight.dtype);
  }
  const int64_t stored_rows = matrix.floats_ ? rows : rows / kCodesInByte;
  if (weight.shape != std::vector<int64_t>{stored_rows, cols} ||
      (!matrix.floats_ && rows % kCodesInByte != 0)) {
    return FailAbout(weight, "is of shape [{}]: wanted {} x {} for {} x {} weights",
                     fmt::join(weight.shape, ", "), stored_rows, cols, rows, cols);
  }
  if (matrix.floats_) {
    BITFETCH_RETURN_IF_ERROR(matrix.MeasureFloats(rules.round && scale == nullptr));
  } else if (scale == nullptr) {
    return FailAbout(weight, "has no weight_scale");
  }
  if (scale != nullptr) {
    BITFETCH_ASSIGN_OR_RETURN(const float factor, ReadScale(*scale));
    if (rules.scale_divides) {
      matrix.scale_ /= factor;
    } else {
      matrix.scale_ *= factor;
    }
  }
  if (!std::isfinite(matrix.scale_) || !std::isfinite(matrix.inverse_)) {
    return FailAbout(weight, "is damaged: a scale of {}", matrix.scale_);
  }
  return matrix;
}

Status HfTernary::MeasureFloats(bool round) {
  Magnitudes all;
  row_.resize(static_cast<size_t>(cols_));
  BoundedReading reading(*weight_);
  for (int64_t row = 0; row < rows_; ++row) {
    ReadFloats(row, row_);
    all.Add(row_);
    reading.Add(static_cast<int64_t>(weight_->data.size()) / rows_);
  }
  double sum = 0;
  for (const double part : all.sums) sum += part;
  if (!std::isfinite(sum)) return FailAbout(*weight_, "is damaged: it has values not finite");
  const float max = std::ranges::max(all.max), min = std::ranges::min(all.min);
  if (max == 0) {
    scale_ = 0;
  } else if (min == max) {
    scale_ = max;
    inverse_ = 1 / max;
  } else if (round) {
    const auto mean = static_cast<float>(sum / static_cast<double>(weight_->elements));
    inverse_ = 1 / std::max(mean, kMinMean);
    scale_ = 1 / inverse_;
  } else {
    return FailAbout(*weight_, "is not ternary: it has magnitudes from {} to {}", min, max);
  }
  return {};
}

void HfTernary::ReadFloats(int64_t row, std::span<float> out) const {
  const size_t row_bytes = weight_->data.size() / static_cast<size_t>(rows_);
  DequantizeRow(*floats_, weight_->data.data() + static_cast<size_t>(row) * row_bytes, cols_,
                out.data());
}

Status HfTernary::ReadRow(int64_t row, std::span<uint8_t> out) {
  if (floats_) {
    row_.resize(out.size());
    ReadFloats(row, row_);
    Round(row_.data(), inverse_, out.size(), out.data());
    return {};
  }
  const int64_t stored_rows = rows_ / kCodesInByte;
  const auto* bytes =
      reinterpret_cast<const uint8_t*>(weight_->data.data()) + row % stored_rows * cols_;
  const int64_t shift = 2 * (row / stored_rows);
  uint8_t both_bits = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = bytes[i] >> shift & 3;
    both_bits |= out[i] & (out[i] >> 1);
  }
  if (both_bits == 0) return {};
  return FailAbout(*weight_, "is damaged: code 3, which is no weight, in row {}, column {}", row,
                   std::ranges::find(out, 3) - out.begin());
}

}  // namespace bitfetch
