// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_DEQUANTIZE_H_
#define BITFETCH_MODEL_DEQUANTIZE_H_

#include <cstddef>
#include <cstdint>

#include "model/tensor_type.h"

namespace bitfetch {

// Whether DequantizeRow reads the type: all but those that are ternary with one scale for the
// tensor.
bool IsDequantizable(TensorType type);

// The `n` elements stored at `row`, n a multiple of PackElements, as float: out[n]. A type that is
// dequantizable; any alignment. Every product is rounded to float where ggml's own code rounds it,
// so the values are ggml's bit for bit. About a nanosecond an element.
// Formats: ggml's block_q8_0, block_q4_K, block_q6_K and block_q2_0.
void DequantizeRow(TensorType type, const std::byte* row, int64_t n, float* out);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_DEQUANTIZE_H_
