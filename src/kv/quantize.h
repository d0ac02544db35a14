// SPDX-License-Identifier: Apache-2.0
// The quantised types: kQuantizedDims neighbouring values of one token become one f16 scale and a
// small integer each, with the values of llama.cpp's q8_0 and q4_0. A value reads back as
// scale * integer.
//
//   q8_0: scale d = absmax / 127; integers round(x * (1 / d)), half away from zero: -127 .. 127
//   q4_0: scale d = m / -8, m being the value with the largest magnitude, the first one of several;
//         codes min(15, trunc(x * (1 / d) + 8.5)): 0 .. 15, the integer being code - 8
//
// The scale is stored as f16, half to even; the codes come from d before that. What the formulas
// leave open: a scale beyond 65504 saturates, as f16 does, and so keeps values finite; where 1 / d
// overflows, the scale is 0 as an f16 anyhow, and the integers are 0; infinities count as the
// largest float; a NaN makes the scale NaN and the integers 0, so that the whole group reads back
// as NaN. Scales are never infinite, and a NaN only where a value is.
#ifndef BITFETCH_KV_QUANTIZE_H_
#define BITFETCH_KV_QUANTIZE_H_

#include <cstdint>

#include "kv/tile.h"

namespace bitfetch {

struct QuantizedScale {
  uint16_t f16 = 0;
  float inverse = 0;  // what values are multiplied with; 0 where that makes no sense
};

// From the largest magnitude of a group, and from its value with the largest magnitude; both
// finite.
QuantizedScale Q8Scale(float absmax);
QuantizedScale Q4Scale(float extreme);

// Any kQuantizedDims values, NaN and infinities too; returns the scale. Codes are int8_t for q8_0,
// and 0 .. 15 for q4_0.
uint16_t QuantizeQ8(const float* values, uint8_t* codes);
uint16_t QuantizeQ4(const float* values, uint8_t* codes);

}  // namespace bitfetch

#endif  // BITFETCH_KV_QUANTIZE_H_
