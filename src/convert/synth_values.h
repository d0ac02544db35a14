// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_SYNTH_VALUES_H_
#define BITFETCH_CONVERT_SYNTH_VALUES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/tensor_type.h"
#include "text/sampler.h"

// What tensors of random weights hold.
namespace bitfetch {

// Packs of 256 random codes, packed as the type has them, to build matrices of: as random as need
// be, and as fast as a copy.
class TernaryPacks {
 public:
  TernaryPacks(TensorType type, Random& random);

  // The packs with the scale of a matrix, where it is part of each of them.
  void SetScale(uint16_t scale);

  size_t pack_bytes() const { return pack_bytes_; }

  void FillRandom(Random& random, std::span<std::byte> out) const;

 private:
  static constexpr int64_t kCodes = 256;
  static constexpr size_t kCount = 1024;

  TensorType type_;
  size_t pack_bytes_;
  uint16_t scale_ = 0;
  std::vector<std::array<uint8_t, kCodes>> codes_{kCount};
  std::vector<std::byte> bytes_;
};

// Whole random numbers, each good for four elements of any type.
inline constexpr size_t kRandomFloatsUnit = 16;

// Floats between 1/64 and 1/4 in size, of either sign: F32, F16 or BF16.
void FillRandomFloats(TensorType type, Random& random, std::span<std::byte> out);

// Ones: F32 or F16.
void FillOnes(TensorType type, std::span<std::byte> out);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_SYNTH_VALUES_H_
