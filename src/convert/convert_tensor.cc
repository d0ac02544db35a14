// SPDX-License-Identifier: Apache-2.0
#include "convert/convert_tensor.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/float16.h"
#include "model/dequantize.h"
#include "model/ternary_codes.h"
#include "model/ternary_groups.h"

namespace bitfetch {
namespace {

constexpr int64_t kElementsAtOnce = int64_t{1} << 20;

// The row of the file that becomes this one.
int64_t SourceRow(const TensorToConvert& tensor, int64_t row) {
  const int64_t dim = tensor.paired_head_dim;
  if (dim == 0) return row;
  const int64_t in_head = row % dim;
  return row - in_head + in_head % 2 * (dim / 2) + in_head / 2;
}

}  // namespace

Status TensorConverter::Write(const TensorToConvert& tensor) {
  if (IsTernary(tensor.type)) return WriteTernary(tensor);
  return IsTernaryByGroup(tensor.type) ? WriteGroups(tensor) : WriteFloats(tensor);
}

// Calls fill(first row, rows, bytes), for a number of rows at a time that are whole packs, and
// writes the bytes.
template <class Fill>
Status TensorConverter::WriteRows(const TensorToConvert& tensor, const Fill& fill) {
  const int64_t pack = PackElements(tensor.type);
  const int64_t unit = pack / std::gcd(tensor.cols, pack);
  const int64_t at_once = std::max<int64_t>(kElementsAtOnce / (tensor.cols * unit), 1) * unit;
  const int64_t row_bytes = static_cast<int64_t>(tensor.weight->data.size()) / tensor.rows;
  std::vector<std::byte> bytes;
  BoundedReading reading(*tensor.weight);
  for (int64_t row = 0; row < tensor.rows; row += at_once) {
    const int64_t rows = std::min(at_once, tensor.rows - row);
    bytes.resize(static_cast<size_t>(rows * tensor.cols / pack * PackBytes(tensor.type)));
    BITFETCH_RETURN_IF_ERROR(fill(row, rows, bytes));
    BITFETCH_RETURN_IF_ERROR(Append(bytes));
    reading.Add(rows * row_bytes);
  }
  return {};
}

Status TensorConverter::Append(std::span<const std::byte> bytes) {
  BITFETCH_RETURN_IF_ERROR(writer_.Append(bytes));
  written_bytes_ += static_cast<int64_t>(bytes.size());
  if (progress_) progress_(written_bytes_, total_bytes_);
  return {};
}

Status TensorConverter::WriteTernary(const TensorToConvert& tensor) {
  BITFETCH_ASSIGN_OR_RETURN(HfTernary matrix, HfTernary::Open(*tensor.weight, tensor.scale,
                                                              tensor.rows, tensor.cols, rules_));
  const auto cols = static_cast<size_t>(tensor.cols);
  std::vector<uint8_t> codes;
  BITFETCH_RETURN_IF_ERROR(
      WriteRows(tensor, [&](int64_t row, int64_t rows, std::span<std::byte> bytes) -> Status {
        codes.resize(static_cast<size_t>(rows) * cols);
        for (int64_t i = 0; i < rows; ++i) {
          BITFETCH_RETURN_IF_ERROR(
              matrix.ReadRow(SourceRow(tensor, row + i),
                             std::span(codes).subspan(static_cast<size_t>(i) * cols, cols)));
        }
        PackI2S(codes, bytes.data());
        return {};
      }));
  return Append(I2STrailer(matrix.scale()));
}

Status TensorConverter::WriteGroups(const TensorToConvert& tensor) {
  BITFETCH_ASSIGN_OR_RETURN(HfGroups matrix,
                            HfGroups::Open(*tensor.weight, tensor.mlx, tensor.rows, tensor.cols));
  const auto cols = static_cast<size_t>(tensor.cols);
  std::vector<uint8_t> codes(cols);
  std::vector<uint16_t> scales(cols / HfGroups::kColumns);
  return WriteRows(tensor, [&](int64_t row, int64_t rows, std::span<std::byte> bytes) -> Status {
    std::byte* out = bytes.data();
    for (int64_t i = 0; i < rows; ++i) {
      BITFETCH_RETURN_IF_ERROR(matrix.ReadRow(SourceRow(tensor, row + i), codes, scales));
      for (size_t group = 0; group < scales.size(); ++group, out += PackBytes(tensor.type)) {
        PackQ2_0(std::span(codes).subspan(group * HfGroups::kColumns, HfGroups::kColumns),
                 scales[group], out);
      }
    }
    return {};
  });
}

Status TensorConverter::WriteFloats(const TensorToConvert& tensor) {
  const SafeTensor& weight = *tensor.weight;
  const auto from = weight.FloatType();
  const std::vector<int64_t> shape = tensor.is_vector
                                         ? std::vector<int64_t>{tensor.cols}
                                         : std::vector<int64_t>{tensor.rows, tensor.cols};
  if (!from || weight.shape != shape) {
    return FailAbout(weight, "is {} [{}]: wanted floats [{}]", weight.dtype,
                     fmt::join(weight.shape, ", "), fmt::join(shape, ", "));
  }
  const int64_t row_bytes = static_cast<int64_t>(weight.data.size()) / tensor.rows;
  std::vector<float> values;
  return WriteRows(tensor, [&](int64_t row, int64_t rows, std::span<std::byte> bytes) -> Status {
    values.resize(static_cast<size_t>(rows * tensor.cols));
    DequantizeRow(*from, weight.data.data() + row * row_bytes, rows * tensor.cols, values.data());
    if (tensor.plus != 0) {
      for (float& value : values) value += tensor.plus;
    }
    constexpr float kMaxF16 = 65504;
    const float max = tensor.type == TensorType::kF16 ? kMaxF16 : std::numeric_limits<float>::max();
    if (const auto wrong =
            std::ranges::find_if(values, [&](float value) { return !(std::abs(value) <= max); });
        wrong != values.end()) {
      return FailAbout(weight, "is damaged: it has {}", *wrong);
    }
    if (tensor.type == TensorType::kF32) {
      std::memcpy(bytes.data(), values.data(), bytes.size());
      return {};
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = F32ToF16(values[i]);
      std::memcpy(bytes.data() + i * sizeof half, &half, sizeof half);
    }
    return {};
  });
}

}  // namespace bitfetch
