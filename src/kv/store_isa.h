// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_STORE_ISA_H_
#define BITFETCH_KV_STORE_ISA_H_

#include <cstddef>

#include "kv/tile.h"

// StoreToken (store.h) for each ISA: the plain one, and those of store_simd.cc, each in the
// namespace of its Highway target.
namespace bitfetch {

#define BITFETCH_DECLARE_STORE_TOKEN(isa)                                           \
  namespace isa {                                                                   \
  void StoreToken(const KvLayout& layout, int slot, const float* k, const float* v, \
                  std::byte* block);                                                \
  }
BITFETCH_DECLARE_STORE_TOKEN(scalar)
#if defined(__x86_64__)
BITFETCH_DECLARE_STORE_TOKEN(N_AVX2)
BITFETCH_DECLARE_STORE_TOKEN(N_AVX3)
#elif defined(__aarch64__)
BITFETCH_DECLARE_STORE_TOKEN(N_NEON)
#endif
#undef BITFETCH_DECLARE_STORE_TOKEN

}  // namespace bitfetch

#endif  // BITFETCH_KV_STORE_ISA_H_
