// SPDX-License-Identifier: Apache-2.0
// What the KV cache itself costs at the shape of BitNet b1.58 2B4T (30 layers, 5 KV heads of 128).
// A step is what a decoded token does: KvCache::Append of one token to every layer.
//
//   append/TYPE/PAGES/hot|cold   us a layer and token (median of the steps), with the tiles in the
//                                caches or, as in decoding, evicted by what else a token reads
//   grow/TYPE/PAGES              from nothing to 100K tokens: the slowest steps, and what was taken
//                                from the system beyond the tiles' bytes
//   fork, truncate               of 100K tokens; copy: the first step after a fork, on a shared
//                                block
//   open, adopt, publish         a sequence of at most 64K tokens over a pool; 4096 tokens of it
//
// BITFETCH_ISA chooses the ISA.
#include "kv/kv_cache.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/memory.h"

namespace bitfetch {
namespace {

constexpr int kLayers = 30;
constexpr int kHeads = 5;
constexpr int kDim = 128;
constexpr int64_t kLong = 100'000;
constexpr size_t kEvictedBytes = size_t{96} << 20;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<float> RandomFloats(int64_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> floats(count);
  std::ranges::generate(floats, [&] { return normal(random); });
  return floats;
}

std::optional<KvCache> MakeCache(benchmark::State& state, KvType type, PageSize pages,
                                 int64_t limit) {
  auto cache = KvCache::Create({.layers = kLayers,
                                .kv_heads = kHeads,
                                .head_dim = kDim,
                                .types = {type, type},
                                .limit = limit,
                                .pages = pages});
  if (cache) return *std::move(cache);
  state.SkipWithError(cache.error().message.c_str());
  return std::nullopt;
}

// Appends `tokens` (the same one over and over) to every layer; returns the seconds it took, and
// stops the benchmark if that is not possible.
double Step(benchmark::State& state, KvCache& cache, int64_t tokens,
            const std::vector<float>& floats) {
  const double start = Seconds();
  for (int layer = 0; layer < kLayers; ++layer) {
    const Status status = cache.Append(layer, tokens, floats.data(), floats.data());
    if (!status) state.SkipWithError(status.error().message.c_str());
  }
  return Seconds() - start;
}

void Append(benchmark::State& state, KvType type, PageSize pages, bool cold) {
  constexpr int64_t kContext = 4096;
  std::optional<KvCache> cache = MakeCache(state, type, pages, kContext);
  auto evicted = PageBuffer::Allocate(kEvictedBytes, PageSize::kHuge);
  if (!cache || !evicted) return state.SkipWithError("out of memory");
  const std::vector<float> floats = RandomFloats(kHeads * kDim);
  std::vector<double> us;
  for (auto _ : state) {
    if (cache->length() == kContext) cache->Clear();
    if (cold) {
      for (size_t i = 0; i < kEvictedBytes; i += 64) evicted->data()[i] ^= std::byte{1};
    }
    const double seconds = Step(state, *cache, 1, floats);
    state.SetIterationTime(seconds);
    us.push_back(seconds * 1e6 / kLayers);
  }
  std::ranges::sort(us);
  state.counters["us_per_layer_token"] = us[us.size() / 2];
}

void Grow(benchmark::State& state, KvType type, PageSize pages) {
  const std::vector<float> floats = RandomFloats(kHeads * kDim);
  for (auto _ : state) {
    std::optional<KvCache> cache = MakeCache(state, type, pages, kLong);
    if (!cache) return;
    std::vector<double> steps;
    for (int64_t i = 0; i < kLong; ++i) steps.push_back(Step(state, *cache, 1, floats));
    std::ranges::sort(steps);
    state.counters["worst_step_ms"] = steps.back() * 1e3;
    state.counters["99.9%_step_ms"] = steps[kLong - kLong / 1000] * 1e3;
    const size_t tiles = kLayers * kLong / kTileTokens * cache->View(0)->layout.block_bytes();
    state.counters["overhead"] =
        static_cast<double>(cache->MappedBytes()) / static_cast<double>(tiles) - 1;
  }
}

// A long sequence costs as much, whatever its type.
std::optional<KvCache> LongCache(benchmark::State& state) {
  std::optional<KvCache> cache = MakeCache(state, KvType::kQ4_0, PageSize::kHuge, kLong + 64);
  if (cache) Step(state, *cache, kLong, RandomFloats(kLong * kHeads * kDim));
  return cache;
}

void Fork(benchmark::State& state) {
  const std::optional<KvCache> cache = LongCache(state);
  if (!cache) return;
  for (auto _ : state) benchmark::DoNotOptimize(cache->Fork());
}

void Truncate(benchmark::State& state) {
  const std::optional<KvCache> cache = LongCache(state);
  if (!cache) return;
  for (auto _ : state) {
    KvCache fork = cache->Fork();
    const double start = Seconds();
    fork.Truncate(1);
    state.SetIterationTime(Seconds() - start);
  }
}

void Copy(benchmark::State& state, KvType type) {
  std::optional<KvCache> cache = MakeCache(state, type, PageSize::kHuge, 64);
  if (!cache) return;
  const std::vector<float> floats = RandomFloats(kHeads * kDim);
  Step(state, *cache, 1, floats);
  for (auto _ : state) {
    KvCache fork = cache->Fork();
    state.SetIterationTime(Step(state, fork, 1, floats));
  }
}

void Open(benchmark::State& state) {
  const std::optional<KvCache> cache = MakeCache(state, KvType::kQ4_0, PageSize::kHuge, 65536);
  if (!cache) return;
  for (auto _ : state) benchmark::DoNotOptimize(KvCache::Open(cache->pool(), 65536));
}

// A sequence publishes what it holds, and a second one adopts it.
void Share(benchmark::State& state, bool adopt) {
  const std::vector<int> tokens(4096);
  const std::vector<float> floats = RandomFloats(4096 * kHeads * kDim);
  for (auto _ : state) {
    std::optional<KvCache> cache = MakeCache(state, KvType::kQ4_0, PageSize::kHuge, 65536);
    if (!cache) return;
    Step(state, *cache, 4096, floats);
    const BlockKey root = RootKey({}, {}, "");
    double start = Seconds();
    cache->Publish(root, tokens);
    const double published = Seconds() - start;
    KvCache second = KvCache::Open(cache->pool(), 65536).value();
    start = Seconds();
    second.Adopt(root, tokens);
    state.SetIterationTime(adopt ? Seconds() - start : published);
  }
}

const bool kRegistered = [] {
  using benchmark::RegisterBenchmark;
  for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
    for (const KvType type : kKvTypes) {
      const auto name = fmt::format("{}/{}", KvTypeName(type), PageSizeName(pages));
      for (const bool cold : {false, true}) {
        RegisterBenchmark(fmt::format("append/{}/{}", name, cold ? "cold" : "hot").c_str(), Append,
                          type, pages, cold)
            ->UseManualTime()
            ->Iterations(cold ? 200 : 8192);
      }
    }
    RegisterBenchmark(fmt::format("grow/f16/{}", PageSizeName(pages)).c_str(), Grow, KvType::kF16,
                      pages)
        ->Iterations(1)
        ->Unit(benchmark::kSecond);
  }
  RegisterBenchmark("fork", Fork)->Unit(benchmark::kMicrosecond);
  RegisterBenchmark("truncate", Truncate)->UseManualTime()->Unit(benchmark::kMicrosecond);
  RegisterBenchmark("open", Open)->Unit(benchmark::kMicrosecond);
  for (const bool adopt : {false, true}) {
    RegisterBenchmark(adopt ? "adopt" : "publish", Share, adopt)
        ->UseManualTime()
        ->Iterations(20)
        ->Unit(benchmark::kMicrosecond);
  }
  for (const KvType type : {KvType::kF16, KvType::kQ8_0}) {
    RegisterBenchmark(fmt::format("copy/{}", KvTypeName(type)).c_str(), Copy, type)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
}  // namespace bitfetch
