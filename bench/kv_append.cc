// SPDX-License-Identifier: Apache-2.0
// What a decoded token costs in the KV cache at the shape of BitNet b1.58 2B4T: KvCache::Append of
// one token to each of 30 layers, for each KV type, with the tiles in the caches ("hot") or, as in
// decoding, after half a gigabyte of weights went through them ("cold"). BITFETCH_ISA chooses the
// ISA.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/memory.h"
#include "kv/kv_cache.h"

namespace bitfetch {
namespace {

constexpr int kLayers = 30;
constexpr int kHeads = 5;
constexpr int kDim = 128;
constexpr int64_t kContext = 4096;
constexpr size_t kEvictedBytes = size_t{96} << 20;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Append(benchmark::State& state, KvTypes types, PageSize pages, bool cold) {
  auto cache = KvCache::Create({.layers = kLayers,
                                .kv_heads = kHeads,
                                .head_dim = kDim,
                                .types = types,
                                .limit = kContext,
                                .pages = pages});
  if (!cache) return state.SkipWithError(cache.error().message.c_str());
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> floats(2 * kHeads * kDim);
  std::ranges::generate(floats, [&] { return normal(random); });
  auto evicted = PageBuffer::Allocate(kEvictedBytes, PageSize::kHuge);
  if (!evicted) return state.SkipWithError(evicted.error().message.c_str());

  std::vector<double> us;
  for (auto _ : state) {
    if (cache->length() == kContext) cache->Clear();
    if (cold) {
      for (size_t i = 0; i < kEvictedBytes; i += 64) evicted->data()[i] ^= std::byte{1};
    }
    const double start = Seconds();
    for (int layer = 0; layer < kLayers; ++layer) {
      const Status status = cache->Append(layer, 1, floats.data(), floats.data() + kHeads * kDim);
      if (!status) return state.SkipWithError(status.error().message.c_str());
    }
    const double seconds = Seconds() - start;
    state.SetIterationTime(seconds);
    us.push_back(seconds * 1e6 / kLayers);
  }
  std::ranges::sort(us);
  state.counters["us_per_layer_token"] = us[us.size() / 2];
  state.counters["us_worst"] = us.back();
}

int RegisterAll() {
  for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
    for (const bool cold : {false, true}) {
      for (const KvType type : kKvTypes) {
        const std::string name = fmt::format("append/{}/{}/{}", KvTypeName(type),
                                             PageSizeName(pages), cold ? "cold" : "hot");
        benchmark::RegisterBenchmark(name.c_str(), Append, KvTypes{type, type}, pages, cold)
            ->UseManualTime()
            ->Iterations(cold ? 200 : 8192);
      }
    }
  }
  return 0;
}
const int kRegistered = RegisterAll();

}  // namespace
}  // namespace bitfetch
