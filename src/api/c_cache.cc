// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <utility>

#include "api/cache_handle.h"
#include "api/guarded.h"
#include "api/sized_struct.h"
#include "bitfetch/bitfetch.h"
#include "kv/block_pool.h"
#include "machine/topology.h"

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_cache_create(const bitfetch_cache_shape* shape, bitfetch_cache** cache) {
  return Guarded([&] {
    BITFETCH_REQUIRE(shape);
    BITFETCH_REQUIRE(cache);
    // The last member of the first version; those that came later stand behind it.
    constexpr size_t kFirstShape = BITFETCH_FIRST_VERSION(bitfetch_cache_shape, pages);
    bitfetch_cache_shape read = {};
    BITFETCH_RETURN_IF_NOT_OK(Allowed(ReadSized("shape", shape, kFirstShape, &read)));
    KvConfig config{.layers = read.layers,
                    .kv_heads = read.kv_heads,
                    .head_dim = read.head_dim,
                    .types = {},
                    .limit = read.limit,
                    .l2_budget_bytes = PrefetchBudget(ReadTopology().l2_bytes)};
    BITFETCH_RETURN_IF_NOT_OK(ReadName("kv_type", read.kv_type, ParseKvTypes, &config.types));
    BITFETCH_RETURN_IF_NOT_OK(ReadName("pages", read.pages, ParsePageSize, &config.pages));
    BITFETCH_RETURN_IF_NOT_OK(Allowed(BlockPool::Check(config)));
    auto created = KvCache::Create(config);
    if (!created) return Fails(BITFETCH_FAILED, created.error().message);
    *cache = new bitfetch_cache{*std::move(created)};
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_cache_fork(const bitfetch_cache* cache, bitfetch_cache** fork) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    BITFETCH_REQUIRE(fork);
    *fork = new bitfetch_cache{cache->cache.Fork()};
    return BITFETCH_OK;
  });
}

void bitfetch_cache_free(bitfetch_cache* cache) { delete cache; }

bitfetch_status bitfetch_cache_append(bitfetch_cache* cache, int layer, int64_t count,
                                      const float* k, const float* v) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    BITFETCH_RETURN_IF_NOT_OK(CheckNotNegative("count", count));
    if (count > 0) {
      BITFETCH_REQUIRE(k);
      BITFETCH_REQUIRE(v);
    }
    BITFETCH_RETURN_IF_NOT_OK(Allowed(cache->cache.CheckLayer(layer)));
    return Told(cache->cache.Append(layer, count, k, v));
  });
}

bitfetch_status bitfetch_cache_truncate(bitfetch_cache* cache, int64_t length) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    BITFETCH_RETURN_IF_NOT_OK(CheckNotNegative("length", length));
    cache->cache.Truncate(length);
    return BITFETCH_OK;
  });
}

int64_t bitfetch_cache_length(const bitfetch_cache* cache) {
  return cache == nullptr ? 0 : cache->cache.length();
}

bitfetch_status bitfetch_cache_prefetch(bitfetch_cache* cache, int layer, int64_t seq_len,
                                        size_t* requested) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    BITFETCH_RETURN_IF_NOT_OK(Allowed(cache->cache.CheckLayer(layer)));
    const auto bytes = cache->cache.Prefetch(layer, seq_len);
    if (!bytes) return Fails(BITFETCH_FAILED, bytes.error().message);
    if (requested != nullptr) *requested = *bytes;
    return BITFETCH_OK;
  });
}

}  // extern "C"
