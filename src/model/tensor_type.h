// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_TENSOR_TYPE_H_
#define BITFETCH_MODEL_TENSOR_TYPE_H_

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace bitfetch {

// How a tensor's elements are stored. The numbers are those of GGUF files (ggml's, BitNet's for
// I2_S, PrismML's for PQ2_0); the names are written as everybody writes them.
enum class TensorType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ6_K = 14,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kI2_S = 36,
  kQ2_0 = 42,
  kPQ2_0 = 142,
};

// The type of that number, or why it can't be read, as what follows "tensor x ": "is of type 13
// (Q5_K), which is not supported".
Result<TensorType> TensorTypeOf(uint32_t number);

std::string_view TensorTypeName(TensorType type);  // "Q4_K"

// Elements are stored in packs (ggml: blocks) of so many, in so many bytes. A row is whole packs,
// but for I2_S, whose packs run over the flattened tensor.
int64_t PackElements(TensorType type);
int64_t PackBytes(TensorType type);

// Of a tensor of `elements`, a multiple of PackElements and at most 2^60: with I2_S, n / 4 bytes
// of codes and 32 of which the first four are its scale.
int64_t TensorBytes(TensorType type, int64_t elements);

// Ternary with one scale for the tensor: I2_S, TQ1_0 and TQ2_0.
bool IsTernary(TensorType type);

// Ternary with a scale for each pack, which is called a group: Q2_0 and PQ2_0, of 64 and 128.
bool IsTernaryByGroup(TensorType type);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_TENSOR_TYPE_H_
