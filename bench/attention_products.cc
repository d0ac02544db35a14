// SPDX-License-Identifier: Apache-2.0
// The arithmetic of attention on every ISA of this CPU: one thread, one KV head of 128 dims with
// four query heads, KV that L2 holds. A token and a prompt of 64 beside the peak of float
// multiply-adds in vectors of the ISA's width, measured in turn.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "bench/random_floats.h"
#include "bench/spread.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"
#include "kv/kv_cache.h"
#include "machine/clock.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bitfetch {
namespace {

constexpr int kHeadDim = 128;
constexpr int kGroup = 4;

#if defined(__x86_64__)
// Multiply-adds a nanosecond, as many at once as the latency asks for.
constexpr int kPeakRounds = 20000;
using Chains = std::make_index_sequence<12>;
template <size_t... kIndex>
__attribute__((target("avx2,fma"))) double PeakAvx2(std::index_sequence<kIndex...>) {
  __m256 sums[] = {_mm256_set1_ps(static_cast<float>(kIndex))...};
  const __m256 x = _mm256_set1_ps(0.5f);
  const double start = NowNs();
  for (int i = 0; i < kPeakRounds; ++i) ((sums[kIndex] = _mm256_fmadd_ps(sums[kIndex], x, x)), ...);
  benchmark::DoNotOptimize((_mm256_cvtss_f32(sums[kIndex]) + ...));
  return static_cast<double>(sizeof(sums)) * kPeakRounds / sizeof(float) / (NowNs() - start);
}
template <size_t... kIndex>
__attribute__((target("avx512f"))) double PeakAvx512(std::index_sequence<kIndex...>) {
  __m512 sums[] = {_mm512_set1_ps(static_cast<float>(kIndex))...};
  const __m512 x = _mm512_set1_ps(0.5f);
  const double start = NowNs();
  for (int i = 0; i < kPeakRounds; ++i) ((sums[kIndex] = _mm512_fmadd_ps(sums[kIndex], x, x)), ...);
  benchmark::DoNotOptimize((_mm512_cvtss_f32(sums[kIndex]) + ...));
  return static_cast<double>(sizeof(sums)) * kPeakRounds / sizeof(float) / (NowNs() - start);
}
double Peak(Isa isa) { return isa == Isa::kAvx2 ? PeakAvx2(Chains()) : PeakAvx512(Chains()); }
#endif

void Attend(benchmark::State& state, const Kernels& kernels, KvTypes types) {
  const int64_t rows = state.range(0);
  const int64_t tokens = 512 + rows;
  const auto pool = ThreadPool::Create(1).value();
  KvCache cache =
      KvCache::Create(
          {.layers = 1, .kv_heads = 1, .head_dim = kHeadDim, .types = types, .limit = tokens})
          .value();
  const std::vector<float> kv = RandomFloats(tokens * kHeadDim);
  if (!cache.Append(0, tokens, kv.data(), kv.data())) std::abort();
  const std::vector<float> queries = RandomFloats(rows * kGroup * kHeadDim);
  std::vector<float> out(queries.size());
  const AttendSlice slice{
      .kv = *cache.View(0), .rows = rows, .queries = queries.data(), .out = out.data()};
  const double products = static_cast<double>(2 * kHeadDim * kGroup) *
                          static_cast<double>(rows * (2 * tokens - rows + 1)) / 2;
  Attention attention(kernels, *pool);
  std::vector<double> speeds;
  std::vector<double> shares;
  for ([[maybe_unused]] const auto _ : state) {
    const double start = NowNs();
    attention.Run({&slice, 1}, kGroup, {});
    speeds.push_back(products / (NowNs() - start));
#if defined(__x86_64__)
    shares.push_back(speeds.back() / Peak(kernels.isa));
#endif
  }
  state.counters["products_per_ns"] = SpreadOf(speeds).median;
  if (!shares.empty()) state.counters["of_peak"] = SpreadOf(shares).median;
}

const bool kRegistered = [] {
  for (const Kernels* kernels : SupportedKernels()) {
    if (kernels->isa == Isa::kScalar) continue;
    for (const KvType type : kKvTypes) {
      const std::string name =
          std::string(IsaName(kernels->isa)) + "/" + std::string(KvTypeName(type));
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& state) {
                                     Attend(state, *kernels, {type, type});
                                   })
          ->Arg(1)
          ->Arg(64)
          ->Iterations(300)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace bitfetch
