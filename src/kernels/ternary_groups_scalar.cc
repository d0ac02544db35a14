// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>

#include "base/float16.h"
#include "kernels/scalar.h"

namespace bitfetch::scalar {
namespace {

// A group of weights of 16 rows.
struct StripGroup {
  const std::byte* bytes;
  int size;  // columns

  int Code(int row, int column) const {
    const int in_line = column % 16;
    const std::byte byte = bytes[(column / 16 * kStripRows + row) * 4 + in_line % 4];
    return std::to_integer<int>(byte >> (2 * (in_line / 4))) & 3;
  }
  float Scale(int row) const {
    uint16_t half;
    std::memcpy(&half, bytes + (size * kStripRows / 4 + row * 2), sizeof half);
    return F16ToF32(half);
  }
};

}  // namespace

void QuantizeGroups(const float* x, int64_t n, int8_t* values, float* scales, int32_t* offsets) {
  for (int64_t group = 0; group < n / kQuantizedGroup; ++group) {
    float max = 0.0f;
    for (int i = 0; i < kQuantizedGroup; ++i) {
      const float size = std::fabs(x[i]);
      max = size > max ? size : max;
    }
    const bool is_zero = max < kMinQuantized;
    const float factor = is_zero ? 0.0f : 127.0f / max;
    offsets[group] = 0;
    for (int i = 0; i < kQuantizedGroup; ++i) {
      const float rounded = std::nearbyint(x[i] * factor);
      const float low = rounded > -127.0f ? rounded : -127.0f;
      values[i] = static_cast<int8_t>(low < 127.0f ? low : 127.0f);
      offsets[group] -= values[i];
    }
    scales[group] = is_zero ? 0.0f : max / 127.0f;
    x += kQuantizedGroup;
    values += kQuantizedGroup;
  }
}

void TernaryGroupsMatmul(const TernaryGroups& w, int64_t begin, int64_t end,
                         const QuantizedGroups& x, float* out, int64_t out_stride) {
  const int64_t strip_bytes = StripBytes(w.cols, w.group);
  const int64_t group_bytes = StripBytes(w.group, w.group);
  for (int64_t r = begin; r < end; ++r) {
    const std::byte* strip = w.strips + r / kStripRows * strip_bytes;
    const int row = static_cast<int>(r % kStripRows);
    for (int64_t t = 0; t < x.tokens; ++t) {
      float sum = 0.0f;
      for (int64_t g = 0; g < w.cols / w.group; ++g) {
        const StripGroup group{strip + g * group_bytes, w.group};
        float part = 0.0f;
        for (int first = 0; first < w.group; first += kQuantizedGroup) {
          const int64_t column = g * w.group + first;
          int32_t total = x.offsets[(t * x.cols + column) / kQuantizedGroup];
          for (int i = 0; i < kQuantizedGroup; ++i) {
            total += group.Code(row, first + i) * x.values[t * x.cols + column + i];
          }
          const float scale = x.scales[(t * x.cols + column) / kQuantizedGroup];
          part = first == 0 ? static_cast<float>(total) * scale
                            : std::fma(static_cast<float>(total), scale, part);
        }
        sum = std::fma(part, group.Scale(row), sum);
      }
      out[t * out_stride + r] = sum;
    }
  }
}

}  // namespace bitfetch::scalar
