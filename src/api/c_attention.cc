// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "api/cache_handle.h"
#include "api/guarded.h"
#include "base/thread_pool.h"
#include "bitfetch/bitfetch.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"
#include "machine/profile_store.h"
#include "machine/topology.h"
#include "model/forward.h"
#include "model/model_config.h"

struct bitfetch_attention {
  bitfetch_attention(const bitfetch::Kernels& kernels,
                     std::unique_ptr<bitfetch::ThreadPool> threads,
                     bitfetch::MachineProfile machine)
      : kernels(kernels),
        pool(std::move(threads)),
        machine(std::move(machine)),
        attention(kernels, *pool) {}

  const bitfetch::Kernels& kernels;
  std::unique_ptr<bitfetch::ThreadPool> pool;
  bitfetch::MachineProfile machine;
  bitfetch::Attention attention;
};

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_attention_create(int threads, bitfetch_attention** attention) {
  return Guarded([&] {
    BITFETCH_REQUIRE(attention);
    BITFETCH_RETURN_IF_NOT_OK(CheckThreads(threads));
    const Topology topology = ReadTopology();
    const auto kernels = ChooseKernels();
    if (!kernels) return Fails(BITFETCH_FAILED, kernels.error().message);
    auto pool = ThreadPool::Create(threads == 0 ? topology.threads : threads);
    if (!pool) return Fails(BITFETCH_FAILED, pool.error().message);
    LoadedProfile kept = LoadProfile(ProfilePath(), topology, BITFETCH_VERSION);
    *attention =
        new bitfetch_attention(**kernels, *std::move(pool),
                               kept.profile ? *std::move(kept.profile) : DefaultProfile(topology));
    return BITFETCH_OK;
  });
}

void bitfetch_attention_free(bitfetch_attention* attention) { delete attention; }

bitfetch_status bitfetch_attention_run(bitfetch_attention* attention, const bitfetch_cache* cache,
                                       int layer, int group, const float* queries, int64_t tokens,
                                       float* out) {
  return Guarded([&] {
    BITFETCH_REQUIRE(attention);
    BITFETCH_REQUIRE(cache);
    BITFETCH_REQUIRE(queries);
    BITFETCH_REQUIRE(out);
    BITFETCH_RETURN_IF_NOT_OK(Allowed(cache->cache.CheckLayer(layer)));
    const auto view = cache->cache.View(layer);
    if (!view) return Fails(BITFETCH_FAILED, view.error().message);
    if (group < 1 || group > ModelConfig::kMaxHeads || tokens < 1 || tokens > view->length) {
      return Fails(BITFETCH_INVALID_ARGUMENT,
                   fmt::format("attention of {} query heads to a KV head and the last {} of {} "
                               "tokens is not possible",
                               group, tokens, view->length));
    }
    const PrefetchPlan plan = ChoosePrefetch(
        attention->machine,
        AttentionAccess(attention->kernels.isa, view->layout, cache->cache.layer_placement(),
                        cache->cache.pages(), group, attention->pool->threads()));
    // In batches, since what attention keeps grows with its rows.
    const int64_t token_floats = int64_t{view->layout.kv_heads} * group * view->layout.head_dim;
    AttendSlice slice{.kv = *view, .queries = queries, .out = out};
    for (int64_t left = tokens; left > 0; left -= slice.rows) {
      slice.rows = std::min(left, ForwardPass::kMaxRows);
      slice.kv.length = view->length - left + slice.rows;
      attention->attention.Run({&slice, 1}, group, plan);
      slice.queries += slice.rows * token_floats;
      slice.out += slice.rows * token_floats;
    }
    return BITFETCH_OK;
  });
}

}  // extern "C"
