// SPDX-License-Identifier: Apache-2.0
#include "bench/attention_places.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "bench/random_floats.h"
#include "engine/engine_probe.h"
#include "machine/probe.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

// Long enough for the clock, and for fork and join to weigh little.
constexpr int64_t kPassBytes = int64_t{32} << 20;
// Of tiny ones: they are all fork and join anyway.
constexpr int64_t kMaxPassSlices = 256;

}  // namespace

Status CheckPlaces(const AttentionPlaces& places) {
  const AttentionShape& shape = places.shape;
  if (shape.kv_heads < 1 || shape.group < 1 || shape.head_dim < 1) {
    return Fail("attention of {} KV heads, {} query heads to each and {} dims is not possible",
                shape.kv_heads, shape.group, shape.head_dim);
  }
  for (const KvTypes types : places.kv_types) {
    const int step = std::max(KvDimStep(types.k), KvDimStep(types.v));
    if (shape.head_dim % step != 0) {
      return Fail("attention over {} KV takes heads of {}, {}, ... dims, not of {}",
                  KvTypesName(types), step, 2 * step, shape.head_dim);
    }
  }
  for (const int64_t n_kv : places.n_kv) {
    if (n_kv < 1) return Fail("a cache of {} tokens is not possible", n_kv);
  }
  return {};
}

int64_t AttentionPlaces::count() const {
  return static_cast<int64_t>(n_kv.size() * threads.size() * kv_types.size() * placements.size() *
                              pages.size());
}

Status ForEachPlace(
    const AttentionPlaces& places,
    const std::function<Status(const AttentionPlace&, ThreadPool&, StreamRead&)>& measure) {
  const size_t cold_bytes = places.cold_bytes.value_or(StreamRead::ColdBytes());
  for (const int threads : places.threads) {
    BITFETCH_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Create(threads));
    for (const PageSize pages : places.pages) {
      BITFETCH_ASSIGN_OR_RETURN(StreamRead read, StreamRead::Create(*pool, cold_bytes, pages));
      for (const KvTypes types : places.kv_types) {
        for (const BlockPlacement placement : places.placements) {
          for (const int64_t n_kv : places.n_kv) {
            BITFETCH_RETURN_IF_ERROR(
                measure({n_kv, threads, types, placement, pages}, *pool, read));
          }
        }
      }
    }
  }
  return {};
}

MachineProfile ProfileForBench(const Kernels& kernels, const std::vector<KvTypes>& types) {
  ProbedProfile probed = ReadOrMeasureProfile(ReadTopology(), ProbeEffort::kTune, BITFETCH_VERSION,
                                              EngineProbe(kernels, ProbeEffort::kTune, types));
  if (!probed.warning.empty()) Warn("{}", probed.warning);
  return std::move(probed.profile);
}

Result<PlacedAttention> PlacedAttention::Create(const Kernels& kernels, ThreadPool& pool,
                                                const AttentionShape& shape,
                                                const AttentionPlace& place, size_t cold_bytes) {
  const KvLayout layout{shape.kv_heads, shape.head_dim, place.kv_types};
  const int64_t slice_blocks = BlocksFor(place.n_kv);
  const double slice_bytes =
      static_cast<double>(slice_blocks) * static_cast<double>(layout.block_bytes());
  const int64_t count = static_cast<int64_t>(static_cast<double>(cold_bytes) / slice_bytes) + 2;
  const int64_t tokens = count * slice_blocks * kTileTokens;
  if (static_cast<double>(count) * slice_bytes > static_cast<double>(AvailableMemory())) {
    return Fail("{} tokens of KV cache do not fit into memory", tokens);
  }
  BITFETCH_ASSIGN_OR_RETURN(KvCache cache, KvCache::Create({.layers = 1,
                                                            .kv_heads = shape.kv_heads,
                                                            .head_dim = shape.head_dim,
                                                            .types = place.kv_types,
                                                            .limit = tokens,
                                                            .pages = place.pages,
                                                            .placement = place.placement}));
  const std::vector<float> block =
      RandomFloats(int64_t{kTileTokens} * shape.kv_heads * shape.head_dim);
  for (int64_t done = 0; done < tokens; done += kTileTokens) {
    BITFETCH_RETURN_IF_ERROR(cache.Append(0, kTileTokens, block.data(), block.data()));
  }
  return PlacedAttention(kernels, pool, shape, place, std::move(cache), count);
}

PlacedAttention::PlacedAttention(const Kernels& kernels, ThreadPool& pool,
                                 const AttentionShape& shape, const AttentionPlace& place,
                                 KvCache cache, int64_t count)
    : cache_(std::move(cache)),
      attention_(kernels, pool, cache_.View(0)->layout, shape.group),
      access_(attention_.Access(place.placement, place.pages)),
      n_kv_(place.n_kv),
      count_(count),
      slice_bytes_(static_cast<int64_t>(cache_.View(0)->layout.block_bytes()) * n_kv_ /
                   kTileTokens),
      pass_(std::min({kPassBytes / slice_bytes_ + 1, kMaxPassSlices, count_})) {}

KvView PlacedAttention::Next() {
  next_ = (next_ + 1) % count_;
  KvView view = *cache_.View(0);
  view.blocks += next_ * BlocksFor(n_kv_);
  view.length = n_kv_;
  return view;
}

double PlacedAttention::Pass(const PrefetchPlan& plan) {
  for (KvView& slice : pass_) slice = Next();
  return attention_.Pass(pass_, plan) * 1e-9;
}

}  // namespace bitfetch
