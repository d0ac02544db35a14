// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_STORE_H_
#define BITFETCH_KV_STORE_H_

#include <cstddef>

#include "kv/tile.h"

namespace bitfetch {

// Writes one token's keys and values, [kv_heads][head_dim] each, to its `slot` (0 .. 15) of a
// block, converted to the types of the layout: to f16 with round half to even, saturating.
void StoreToken(const KvLayout& layout, int slot, const float* k, const float* v, std::byte* block);

}  // namespace bitfetch

#endif  // BITFETCH_KV_STORE_H_
