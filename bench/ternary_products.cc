// SPDX-License-Identifier: Apache-2.0
// The ternary products of BitNet b1.58 2B4T on every ISA of this CPU: one token with cold weights
// beside the best streaming read of the same run, a batch beside the peak of byte products, and
// what a fork and join of the pool costs.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/thread_pool.h"
#include "bench/spread.h"
#include "kernels/kernels.h"
#include "machine/clock.h"
#include "machine/stream_read.h"
#include "machine/topology.h"
#include "model/products.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bitfetch {
namespace {

constexpr int64_t kLayers = 30;
constexpr int64_t kHidden = 2560;
constexpr int64_t kKv = 640;
constexpr int64_t kFfn = 6912;
constexpr int64_t kTrailerBytes = 32;  // of I2_S: half of the tensors begin inside a cache line
constexpr int64_t kWeights =
    kLayers * (2 * kHidden * kHidden + 2 * kKv * kHidden + 3 * kFfn * kHidden);

// What is multiplied with the same tokens, one fork and join.
using Stage = std::vector<TernaryRows>;

// The stages of all layers in the order of a token, as a file has them one after another.
std::vector<Stage> StagesAt(const uint8_t* codes) {
  const auto take = [&](int64_t rows, int64_t cols) {
    const TernaryRows matrix{codes, rows, cols, static_cast<size_t>(cols / 4), 0.5f};
    codes += rows * cols / 4 + kTrailerBytes;
    return matrix;
  };
  std::vector<Stage> stages;
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    stages.push_back({take(kHidden, kHidden), take(kKv, kHidden), take(kKv, kHidden)});
    stages.push_back({take(kHidden, kHidden)});
    stages.push_back({take(kFfn, kHidden), take(kFfn, kHidden)});
    stages.push_back({take(kHidden, kFfn)});
  }
  return stages;
}

// A file of weights, all of them in the page cache.
class WeightsFile {
 public:
  static const WeightsFile& Get() {
    static const WeightsFile file;
    return file;
  }
  std::string path() const { return dir_.Path("weights"); }

 private:
  WeightsFile() {
    std::vector<std::byte> bytes(kWeights / 4 + kLayers * 7 * kTrailerBytes);
    uint64_t state = 1;
    for (std::byte& byte : bytes) {
      state = state * 6364136223846793005 + 1442695040888963407;
      const auto bits = static_cast<uint8_t>(state >> 56);
      byte = static_cast<std::byte>(bits & ~(bits >> 1 & 0x55));  // no code is 3
    }
    FileWriter writer = FileWriter::Create(path()).value();
    if (!writer.Append(bytes) || !writer.Commit()) std::abort();
  }

  TempDir dir_;
};

struct Tokens {
  explicit Tokens(int64_t tokens)
      : values(tokens * kFfn), sums(tokens), scales(tokens, 1.0f), out(tokens * 2 * kFfn) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<int8_t>(i * 2654435761 >> 24);
    }
  }
  QuantizedRows Of(int64_t cols) const {
    return {values.data(), sums.data(), scales.data(), static_cast<int64_t>(sums.size()), cols};
  }
  std::vector<int8_t> values;
  std::vector<int32_t> sums;
  std::vector<float> scales;
  std::vector<float> out;
};

// In the runs of rows that Products hands out.
void Multiply(const Stage& stage, const Kernels& kernels, ThreadPool& pool, Tokens& tokens) {
  const auto count = static_cast<int64_t>(tokens.sums.size());
  const auto at_a_time = [&](const TernaryRows& matrix) {
    return ProductRowsAtATime(matrix.rows, count, pool.threads());
  };
  struct Piece {
    const TernaryRows* matrix;
    int64_t begin;
    float* out;
  };
  std::vector<Piece> pieces;
  float* out = tokens.out.data();
  for (const TernaryRows& matrix : stage) {
    for (int64_t begin = 0; begin < matrix.rows; begin += at_a_time(matrix)) {
      pieces.push_back({&matrix, begin, out});
    }
    out += matrix.rows * count;
  }
  pool.ParallelFor(static_cast<int64_t>(pieces.size()), [&](int64_t i, int) {
    const auto& [matrix, begin, to] = pieces[i];
    kernels.ternary_matmul(*matrix, begin, std::min(begin + at_a_time(*matrix), matrix->rows),
                           tokens.Of(matrix->cols), to, matrix->rows);
  });
}

void Report(benchmark::State& state, const std::string& name, const std::vector<double>& figures) {
  const Spread spread = SpreadOf(figures);
  state.counters[name] = spread.median;
  state.counters[name + "_min"] = spread.min;
  state.counters[name + "_max"] = spread.max;
}

void OneToken(benchmark::State& state, const Kernels* kernels, bool mapped) {
  const auto pool = ThreadPool::Create(ReadTopology().threads).value();
  const MappedFile weights = MappedFile::Open(WeightsFile::Get().path(), mapped).value();
  const auto stages = StagesAt(reinterpret_cast<const uint8_t*>(weights.bytes().data()));
  StreamRead stream = StreamRead::Create(*pool, StreamRead::ColdBytes(), PageSize::kHuge).value();
  Tokens token(1);
  const auto pass = [&] {
    const double start = NowNs();
    for (const Stage& stage : stages) Multiply(stage, *kernels, *pool, token);
    return static_cast<double>(kWeights) / 4 / (NowNs() - start);
  };
  pass();
  std::vector<double> reads;
  std::vector<double> speeds;
  std::vector<double> shares;
  for ([[maybe_unused]] const auto _ : state) {
    reads.push_back(stream.Once());
    speeds.push_back(pass());
    shares.push_back(speeds.back() / reads.back());
  }
  Report(state, "read_gb_per_s", reads);
  Report(state, "gb_per_s", speeds);
  Report(state, "fraction", shares);
}

#if defined(__x86_64__)
// Products of 32 bytes with 32, as many at once as the latency asks for: the most that any kernel
// of these ISAs could do, and for a CPU that has two such instructions a cycle and one of twice the
// width, the most that those of AVX-512 could do.
constexpr int64_t kPeakProducts = int64_t{1} << 22;
__attribute__((target("avx2"))) void PeakProducts() {
  __m256i x = _mm256_set1_epi8(1);
  __m256i sums[8];
  for (int64_t i = 0; i < kPeakProducts / (8 * 32); ++i) {
#pragma GCC unroll 8
    for (__m256i& sum : sums) {
      sum = _mm256_maddubs_epi16(x, x);
      asm volatile("" : "+x"(sum), "+x"(x));
    }
  }
}
#endif

void Batch(benchmark::State& state, const Kernels* kernels) {
  const auto pool = ThreadPool::Create(ReadTopology().threads).value();
  const MappedFile weights = MappedFile::Open(WeightsFile::Get().path(), /*mmap=*/true).value();
  const auto stages = StagesAt(reinterpret_cast<const uint8_t*>(weights.bytes().data()));
  Tokens tokens(state.range(0));
  std::vector<double> speeds;
  std::vector<double> shares;
  size_t next = 0;
  for ([[maybe_unused]] const auto _ : state) {
    double products = 0;
    const double start = NowNs();
    for (int i = 0; i < 16; ++i) {
      const Stage& stage = stages[next++ % stages.size()];
      Multiply(stage, *kernels, *pool, tokens);
      for (const TernaryRows& matrix : stage) {
        products += static_cast<double>(matrix.rows * matrix.cols * state.range(0));
      }
    }
    const double per_ns = products / (NowNs() - start);
    speeds.push_back(per_ns * 1e9 / static_cast<double>(kWeights));
#if defined(__x86_64__)
    const double peak_start = NowNs();
    pool->Run([](int) { PeakProducts(); });
    const double peak = static_cast<double>(kPeakProducts * pool->threads());
    shares.push_back(per_ns * (NowNs() - peak_start) / peak);
#endif
  }
  Report(state, "tokens_per_s", speeds);
  if (!shares.empty()) Report(state, "of_peak", shares);
}

void ForkJoin(benchmark::State& state) {
  const auto pool = ThreadPool::Create(ReadTopology().threads).value();
  for ([[maybe_unused]] const auto _ : state) pool->Run([](int) {});
}
BENCHMARK(ForkJoin);

const bool kRegistered = [] {
  for (const Kernels* kernels : SupportedKernels()) {
    if (kernels->isa == Isa::kScalar) continue;
    const std::string name(IsaName(kernels->isa));
    for (const bool mapped : {true, false}) {
      benchmark::RegisterBenchmark(
          ("OneToken/" + name + (mapped ? "/mapped" : "/huge")).c_str(),
          [=](benchmark::State& state) { OneToken(state, kernels, mapped); })
          ->Iterations(15)
          ->Unit(benchmark::kMillisecond);
    }
    benchmark::RegisterBenchmark(("Batch/" + name).c_str(),
                                 [=](benchmark::State& state) { Batch(state, kernels); })
        ->Arg(2)
        ->Arg(4)
        ->Arg(8)
        ->Arg(16)
        ->Arg(64)
        ->Iterations(15)
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace bitfetch
