// SPDX-License-Identifier: Apache-2.0
// Ternary weights as rows of 2-bit codes: 0, 1, 2 for -1, 0, +1. 128 neighbours of a row lie in 32
// bytes, number j in byte j % 32 at bit 6 - 2 * (j / 32), which is I2_S as BitNet's x86 builds
// write it. TQ1_0 and TQ2_0 are ggml's block_tq1_0 and block_tq2_0.
#ifndef BITFETCH_MODEL_TERNARY_CODES_H_
#define BITFETCH_MODEL_TERNARY_CODES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "base/error.h"
#include "kernels/kernels.h"
#include "model/gguf_reader.h"

namespace bitfetch {

struct FreeAligned {
  void operator()(uint8_t* memory) const { operator delete[](memory, std::align_val_t{64}); }
};

// Weight (row, col) is (code - 1) * scale. Columns past the last one have code 1.
struct TernaryMatrix {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_bytes = 0;           // ceil(cols / 128) * 32
  const uint8_t* codes = nullptr;  // [rows][row_bytes], 8-byte aligned at least, then 32 bytes that
                                   // may be read and mean nothing
  float scale = 0;                 // finite, not negative
  std::unique_ptr<uint8_t[], FreeAligned> storage;  // of codes; null where they lie in the file

  int64_t bytes() const { return rows * row_bytes; }
  TernaryRows InRows() const { return {codes, rows, cols, static_cast<size_t>(row_bytes), scale}; }
  int Code(int64_t row, int64_t col) const;
};

// Checks every code of the tensor, of a type that IsTernary, and brings it into rows. I2_S with
// whole packs in each row is used where it lies, and costs one fast read; anything else is
// repacked into memory of its own, at about a nanosecond a weight. Several tensors may be read at
// once. Errors name the file, the tensor, and what is wrong: code 3 and where, a scale that is no
// scale, scales that differ within the tensor, no memory.
Result<TernaryMatrix> ReadTernary(const GgufTensor& tensor, std::string_view path);

// The way back, for writing files: codes (0, 1 or 2 each) of whole packs, 128 to a pack of I2_S,
// 256 to a pack of the others, to the bytes of those packs (TensorBytes without a trailer). I2_S
// keeps its scale after the last pack, the others one with each pack.
inline constexpr int64_t kI2STrailerBytes = 32;
void PackI2S(std::span<const uint8_t> codes, std::byte* out);
std::array<std::byte, kI2STrailerBytes> I2STrailer(float scale);
void PackTQ1_0(std::span<const uint8_t> codes, uint16_t f16_scale, std::byte* out);
void PackTQ2_0(std::span<const uint8_t> codes, uint16_t f16_scale, std::byte* out);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_TERNARY_CODES_H_
