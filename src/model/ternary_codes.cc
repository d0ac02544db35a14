// SPDX-License-Identifier: Apache-2.0
#include "model/ternary_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/float16.h"
#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr int kRun = 32;            // codes that lie side by side in neighbouring bytes
constexpr int kI2SPack = 4 * kRun;  // codes in kRun bytes
constexpr uint8_t kZeroCode = 1;
constexpr int kTqPack = 256;
constexpr int kTQ1Bytes = 54, kTQ1ScaleAt = 52;
constexpr int kTQ2Bytes = 66, kTQ2ScaleAt = 64;

const uint8_t* Bytes(const GgufTensor& tensor) {
  return reinterpret_cast<const uint8_t*>(tensor.data.data());
}

tl::unexpected<Error> FailTensor(std::string_view path, const GgufTensor& tensor,
                                 std::string_view what) {
  return Fail("{}: tensor {} {}", path, Printable(tensor.name), what);
}

// 128 codes to 32 bytes and back, the first run in the highest bits (I2_S) ...
void PackI2SCodes(const uint8_t* codes, uint8_t* out) {
  for (int i = 0; i < kRun; ++i) {
    out[i] = static_cast<uint8_t>(codes[i] << 6 | codes[kRun + i] << 4 | codes[2 * kRun + i] << 2 |
                                  codes[3 * kRun + i]);
  }
}

void UnpackI2SCodes(const uint8_t* from, uint8_t* codes) {
  for (int run = 0; run < 4; ++run) {
    for (int i = 0; i < kRun; ++i) codes[run * kRun + i] = from[i] >> (6 - 2 * run) & 3;
  }
}

// ... or in the lowest (TQ2_0).
void UnpackTQ2(const uint8_t* from, uint8_t* codes) {
  for (int half = 0; half < 2; ++half, from += kRun) {
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < kRun; ++i) *codes++ = from[i] >> (2 * run) & 3;
    }
  }
}

// TQ1_0 keeps five codes in a byte, as the first eight bits of the fraction 0.abcde in base 3: each
// times three, the next code comes out on top. Three stretches of bytes: 32 with five codes each,
// 16 with five, 4 with four; neighbours in a stretch hold neighbouring codes.
struct Stretch {
  int bytes;
  int codes_in_byte;
};
constexpr std::array<Stretch, 3> kStretches = {{{32, 5}, {16, 5}, {4, 4}}};

void UnpackTQ1(const uint8_t* from, uint8_t* codes) {
  for (const auto [bytes, codes_in_byte] : kStretches) {
    uint8_t rest[kRun];
    std::copy_n(from, bytes, rest);
    for (int n = 0; n < codes_in_byte; ++n) {
      for (int i = 0; i < bytes; ++i) {
        const int times_three = rest[i] * 3;
        codes[i] = static_cast<uint8_t>(times_three >> 8);
        rest[i] = static_cast<uint8_t>(times_three);
      }
      codes += bytes;
    }
    from += bytes;
  }
}

void UnpackOne(TensorType type, const uint8_t* from, uint8_t* codes) {
  if (type == TensorType::kI2_S) return UnpackI2SCodes(from, codes);
  const bool tq1 = type == TensorType::kTQ1_0;
  uint16_t scale;
  std::memcpy(&scale, from + (tq1 ? kTQ1ScaleAt : kTQ2ScaleAt), sizeof scale);
  if ((scale & 0x7fff) == 0) {
    std::fill_n(codes, kTqPack, kZeroCode);  // whatever the codes say, these weights are zero
  } else if (tq1) {
    UnpackTQ1(from, codes);
  } else {
    UnpackTQ2(from, codes);
  }
}

// Whether any of the codes in `size` bytes, a multiple of 8, is 3.
bool HasCode3(const uint8_t* bytes, int64_t size) {
  uint64_t both_bits = 0;
  for (int64_t i = 0; i < size; i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + i, sizeof word);
    both_bits |= word & (word >> 1);
  }
  return both_bits & 0x5555555555555555;
}

Status CheckCodes(const TernaryMatrix& matrix, const GgufTensor& tensor, std::string_view path) {
  for (int64_t row = 0; row < matrix.rows; ++row) {
    if (!HasCode3(matrix.codes + row * matrix.row_bytes, matrix.row_bytes)) continue;
    int64_t col = 0;
    while (matrix.Code(row, col) != 3) ++col;
    return FailTensor(
        path, tensor,
        fmt::format("is damaged: code 3, which is no weight, in row {}, column {}", row, col));
  }
  return {};
}

Status CheckScale(float scale, const GgufTensor& tensor, std::string_view path) {
  if (std::isfinite(scale) && scale >= 0) return {};
  return FailTensor(path, tensor, fmt::format("is damaged: its scale is {}", scale));
}

// The one scale of a tensor whose every pack has its own.
Result<float> CommonScale(const GgufTensor& tensor, std::string_view path) {
  const bool tq1 = tensor.type == TensorType::kTQ1_0;
  const uint8_t* at = Bytes(tensor) + (tq1 ? kTQ1ScaleAt : kTQ2ScaleAt);
  float common = 0;
  for (int64_t i = 0; i < tensor.elements; i += kTqPack, at += tq1 ? kTQ1Bytes : kTQ2Bytes) {
    uint16_t half;
    std::memcpy(&half, at, sizeof half);
    const float scale = F16ToF32(half);
    BITFETCH_RETURN_IF_ERROR(CheckScale(scale, tensor, path));
    if (scale == 0 || scale == common) continue;
    if (common != 0) {
      return FailTensor(path, tensor,
                        fmt::format("has different scales ({} and {}), as TriLM's do: only one "
                                    "scale for a whole tensor is supported",
                                    common, scale));
    }
    common = scale;
  }
  return common;
}

// Row by row into memory of its own; a pack may straddle two rows.
Status Repack(const GgufTensor& tensor, std::string_view path, TernaryMatrix* matrix) {
  const size_t bytes = static_cast<size_t>(matrix->rows * matrix->row_bytes);
  matrix->storage.reset(new (std::align_val_t{64}, std::nothrow) uint8_t[bytes + kRun]);
  if (!matrix->storage) {
    return FailTensor(path, tensor, fmt::format("needs {} bytes of memory, not to be had", bytes));
  }
  matrix->codes = matrix->storage.get();
  std::fill_n(matrix->storage.get() + bytes, kRun, uint8_t{0});

  const int64_t pack = PackElements(tensor.type), pack_bytes = PackBytes(tensor.type);
  const int64_t padded_cols = matrix->row_bytes * 4;
  std::vector<uint8_t> codes(static_cast<size_t>(2 * pack + padded_cols));
  uint8_t* out = matrix->storage.get();
  for (int64_t row = 0; row < matrix->rows; ++row, out += matrix->row_bytes) {
    const int64_t first = row * matrix->cols / pack;
    const int64_t end = ((row + 1) * matrix->cols + pack - 1) / pack;
    for (int64_t i = first; i < end; ++i) {
      UnpackOne(tensor.type, Bytes(tensor) + i * pack_bytes, codes.data() + (i - first) * pack);
    }
    uint8_t* begin = codes.data() + (row * matrix->cols - first * pack);
    std::fill(begin + matrix->cols, begin + padded_cols, kZeroCode);
    for (int64_t i = 0; i < padded_cols; i += kI2SPack) PackI2SCodes(begin + i, out + i / 4);
  }
  return {};
}

}  // namespace

int TernaryMatrix::Code(int64_t row, int64_t col) const {
  const int64_t in_pack = col % kI2SPack;
  const uint8_t byte = codes[row * row_bytes + col / kI2SPack * kRun + in_pack % kRun];
  return byte >> (6 - 2 * (in_pack / kRun)) & 3;
}

Result<TernaryMatrix> ReadTernary(const GgufTensor& tensor, std::string_view path) {
  TernaryMatrix matrix;
  matrix.rows = tensor.rows();
  matrix.cols = tensor.cols();
  matrix.row_bytes = (matrix.cols + kI2SPack - 1) / kI2SPack * kRun;
  if (tensor.type == TensorType::kI2_S) {
    std::memcpy(&matrix.scale, Bytes(tensor) + tensor.elements / 4, sizeof matrix.scale);
    BITFETCH_RETURN_IF_ERROR(CheckScale(matrix.scale, tensor, path));
  } else {
    BITFETCH_ASSIGN_OR_RETURN(matrix.scale, CommonScale(tensor, path));
  }
  if (tensor.type == TensorType::kI2_S && matrix.cols % kI2SPack == 0) {
    matrix.codes = Bytes(tensor);
  } else {
    BITFETCH_RETURN_IF_ERROR(Repack(tensor, path, &matrix));
  }
  BITFETCH_RETURN_IF_ERROR(CheckCodes(matrix, tensor, path));
  return matrix;
}

void PackI2S(std::span<const uint8_t> codes, std::byte* out) {
  uint8_t* to = reinterpret_cast<uint8_t*>(out);
  for (size_t i = 0; i < codes.size(); i += kI2SPack, to += kRun) PackI2SCodes(&codes[i], to);
}

std::array<std::byte, kI2STrailerBytes> I2STrailer(float scale) {
  std::array<std::byte, kI2STrailerBytes> trailer{};
  std::memcpy(trailer.data(), &scale, sizeof scale);
  return trailer;
}

void PackTQ1_0(std::span<const uint8_t> codes, uint16_t f16_scale, std::byte* out) {
  uint8_t* to = reinterpret_cast<uint8_t*>(out);
  for (size_t pack = 0; pack < codes.size(); pack += kTqPack) {
    const uint8_t* from = &codes[pack];
    for (const auto [bytes, codes_in_byte] : kStretches) {
      for (int i = 0; i < bytes; ++i) {
        int digits = 0;
        for (int n = 0; n < 5; ++n) {
          digits = digits * 3 + (n < codes_in_byte ? from[n * bytes + i] : 0);
        }
        *to++ = static_cast<uint8_t>((digits * 256 + 242) / 243);  // rounded up: digits come back
      }
      from += bytes * codes_in_byte;
    }
    std::memcpy(to, &f16_scale, sizeof f16_scale);
    to += sizeof f16_scale;
  }
}

void PackTQ2_0(std::span<const uint8_t> codes, uint16_t f16_scale, std::byte* out) {
  uint8_t* to = reinterpret_cast<uint8_t*>(out);
  for (size_t pack = 0; pack < codes.size(); pack += kTqPack) {
    for (size_t half = pack; half < pack + kTqPack; half += kI2SPack, to += kRun) {
      for (int i = 0; i < kRun; ++i) {
        to[i] = 0;
        for (int run = 0; run < 4; ++run) {
          to[i] |=
              static_cast<uint8_t>(codes[half + static_cast<size_t>(run * kRun + i)] << 2 * run);
        }
      }
    }
    std::memcpy(to, &f16_scale, sizeof f16_scale);
    to += sizeof f16_scale;
  }
}

}  // namespace bitfetch
