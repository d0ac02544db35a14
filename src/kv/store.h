// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_STORE_H_
#define BITFETCH_KV_STORE_H_

#include <cstddef>

#include "kv/tile.h"

namespace bitfetch {

// Writes one token's keys and values, [kv_heads][head_dim] each, to its `slot` (0 .. 15) of a
// block, converted to the types of the layout: to f16 and bf16 with round half to even, saturating
// and keeping NaN (base/float16.h); to q8_0 and q4_0 as quantize.h says. Touches no other slot.
void StoreToken(const KvLayout& layout, int slot, const float* k, const float* v, std::byte* block);

}  // namespace bitfetch

#endif  // BITFETCH_KV_STORE_H_
