// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_API_CACHE_HANDLE_H_
#define BITFETCH_API_CACHE_HANDLE_H_

#include "bitfetch/bitfetch.h"
#include "kv/kv_cache.h"

struct bitfetch_cache {
  bitfetch::KvCache cache;
};

#endif  // BITFETCH_API_CACHE_HANDLE_H_
