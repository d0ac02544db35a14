// SPDX-License-Identifier: Apache-2.0
#include "model/ternary_groups.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr int64_t kScaleBytes = 2;
constexpr int kWordColumns = 16;  // whose codes are 32 bits
constexpr int64_t kStripsAtATime = 8;
constexpr int64_t kSound = std::numeric_limits<int64_t>::max();

// In the file byte k has columns 4 * k + b at bit 2 * b; in strips byte b has them at bit 2 * k.
uint32_t Transposed(uint32_t word) {
  const uint32_t one = (word ^ word >> 6) & 0x00cc00cc;
  word ^= one | one << 6;
  const uint32_t two = (word ^ word >> 12) & 0x0000f0f0;
  return word ^ (two | two << 12);
}

bool IsFinite(uint16_t f16) { return (f16 & 0x7c00) != 0x7c00; }

// What a matrix takes, in whole cache lines.
int64_t PlaceBytes(const TernaryGroups& matrix) { return (matrix.bytes() + 63) / 64 * 64; }

// Writes one strip. Returns the first of the tensor's groups whose scale is not finite, or kSound.
int64_t WriteStrip(const GgufTensor& tensor, int64_t strip, std::byte* to) {
  const int64_t columns = PackElements(tensor.type);
  const int64_t pack_bytes = PackBytes(tensor.type);
  const int64_t groups = tensor.cols() / columns;
  const int64_t first_row = strip * kStripRows;
  const int64_t rows = std::min<int64_t>(kStripRows, tensor.rows() - first_row);
  const std::byte* row = tensor.Row(first_row);
  const int64_t row_bytes = tensor.row_bytes();
  int64_t damaged = kSound;
  for (int64_t g = 0; g < groups; ++g) {
    std::byte* scales = to + columns / kWordColumns * kStripRows * sizeof(uint32_t);
    for (int64_t r = 0; r < kStripRows; ++r) {
      uint16_t scale = 0;
      if (r < rows) {
        const std::byte* from = row + r * row_bytes + g * pack_bytes;
        std::memcpy(&scale, from, sizeof scale);
        from += kScaleBytes;
        for (int64_t i = 0; i < columns / kWordColumns; ++i) {
          uint32_t word;
          std::memcpy(&word, from + i * sizeof word, sizeof word);
          word = Transposed(word);
          std::memcpy(to + (i * kStripRows + r) * sizeof word, &word, sizeof word);
        }
      }
      std::memcpy(scales + r * kScaleBytes, &scale, sizeof scale);
      if (!IsFinite(scale)) damaged = std::min(damaged, (first_row + r) * groups + g);
    }
    to = scales + kStripRows * kScaleBytes;
  }
  return damaged;
}

}  // namespace

Result<PageBuffer> ReadTernaryGroups(const GgufReader& file, std::span<const GroupsToRead> tensors,
                                     ThreadPool& pool, const Progress& progress) {
  int64_t bytes = 0;
  for (const auto& [tensor, out] : tensors) {
    *out = {.rows = tensor->rows(),
            .cols = tensor->cols(),
            .group = static_cast<int>(PackElements(tensor->type))};
    bytes += PlaceBytes(*out);
  }
  auto memory = PageBuffer::Allocate(static_cast<size_t>(bytes), PageSize::kHuge);
  if (!memory) return Fail("{}: {}", file.path(), memory.error().message);
  std::byte* place = memory->data();
  for (const GroupsToRead& to_read : tensors) {
    const GgufTensor& tensor = *to_read.tensor;
    TernaryGroups& out = *to_read.out;
    const int64_t strip_bytes = StripBytes(out.cols, out.group);
    std::atomic<int64_t> damaged = kSound;
    pool.ParallelPieces(
        out.bytes() / strip_bytes, kStripsAtATime, [&](int64_t begin, int64_t end, int) {
          for (int64_t strip = begin; strip < end; ++strip) {
            const int64_t here = WriteStrip(tensor, strip, place + strip * strip_bytes);
            int64_t first = damaged;
            while (here < first && !damaged.compare_exchange_weak(first, here)) {
            }
          }
        });
    if (damaged != kSound) {
      const int64_t groups = out.cols / out.group;
      return Fail("{}: tensor {} is damaged: the scale of row {}, column {} is not finite",
                  file.path(), Printable(tensor.name), damaged / groups,
                  damaged % groups * out.group);
    }
    file.LetGo(tensor.data);
    out.strips = place;
    place += PlaceBytes(out);
    if (progress) progress(place - memory->data(), bytes);
  }
  return memory;
}

void PackQ2_0(std::span<const uint8_t> codes, uint16_t f16_scale, std::byte* out) {
  std::memcpy(out, &f16_scale, kScaleBytes);
  for (size_t i = 0; i < codes.size(); i += 4) {
    out[kScaleBytes + i / 4] = static_cast<std::byte>(codes[i] | codes[i + 1] << 2 |
                                                      codes[i + 2] << 4 | codes[i + 3] << 6);
  }
}

}  // namespace bitfetch
