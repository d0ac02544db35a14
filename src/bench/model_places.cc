// SPDX-License-Identifier: Apache-2.0
#include "bench/model_places.h"

#include <utility>

#include "base/thread_pool.h"
#include "bench/engine_for_bench.h"

namespace bitfetch {

int64_t ModelPlaces::count() const {
  return static_cast<int64_t>(n_kv.size() * threads.size() * kv_types.size() * placements.size() *
                              pages.size());
}

Status ForEachPlace(
    const ModelPlaces& places, int64_t context, int64_t kv_tokens,
    const std::function<Status(const AttentionPlace&, const std::shared_ptr<Engine>&, StreamRead&)>&
        measure) {
  const size_t cold_bytes = StreamRead::ColdBytes();
  for (const int threads : places.threads) {
    BITFETCH_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Create(threads));
    for (const PageSize pages : places.pages) {
      BITFETCH_ASSIGN_OR_RETURN(StreamRead read, StreamRead::Create(*pool, cold_bytes, pages));
      for (const KvTypes types : places.kv_types) {
        for (const BlockPlacement placement : places.placements) {
          BITFETCH_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine,
                                    Engine::Open(places.model, {.threads = threads,
                                                                .context = context,
                                                                .kv_tokens = kv_tokens,
                                                                .kv_types = types,
                                                                .pages = pages,
                                                                .placement = placement,
                                                                .mmap = !places.no_mmap,
                                                                .share_prefixes = false}));
          EngineForBench(*engine).FinishMoving();
          for (const int64_t n_kv : places.n_kv) {
            BITFETCH_RETURN_IF_ERROR(
                measure({n_kv, threads, types, placement, pages}, engine, read));
          }
        }
      }
    }
  }
  return {};
}

std::vector<int> ScatteredTokens(int64_t count, int64_t vocab) {
  std::vector<int> tokens(count);
  for (int64_t i = 0; i < count; ++i) tokens[i] = static_cast<int>(i * 7919 % vocab);
  return tokens;
}

}  // namespace bitfetch
