// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_STORE_H_
#define BITFETCH_KV_STORE_H_

#include <cstddef>
#include <vector>

#include "base/error.h"
#include "kv/tile.h"
#include "machine/isa.h"

namespace bitfetch {

// Writes one token's keys and values, [kv_heads][head_dim] each, to its `slot` (0 .. 15) of a
// block, converted to the types of the layout: to f16 and bf16 with round half to even, saturating
// and keeping NaN (base/float16.h); to q8_0 and q4_0 as quantize.h says. Touches no other slot.
using StoreToken = void (*)(const KvLayout& layout, int slot, const float* k, const float* v,
                            std::byte* block);

// One for each ISA, all with the same bits.
struct TokenStore {
  Isa isa;
  StoreToken store;
};

// Those that this CPU runs, best last. Scalar, the definition, is always the first.
const std::vector<TokenStore>& SupportedStores();

// The best of them, or the one that BITFETCH_ISA names. Errors: a name that is unknown, or that
// can't be run here.
Result<StoreToken> ChooseStore();

}  // namespace bitfetch

#endif  // BITFETCH_KV_STORE_H_
