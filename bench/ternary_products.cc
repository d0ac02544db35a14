// SPDX-License-Identifier: Apache-2.0
// Ternary products on every ISA of this CPU, with one scale for a matrix in the shape of BitNet
// b1.58 2B4T, four codes and five in a byte, and with scales for groups of 64 in that of
// Ternary-Bonsai 1.7B: one token with cold weights beside the best streaming read of the same run,
// a batch beside the peak of byte products, and what a fork and join of the pool costs.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/memory.h"
#include "base/temp_dir.h"
#include "base/thread_pool.h"
#include "bench/spread.h"
#include "kernels/kernels.h"
#include "kernels/ternary_fives.h"
#include "machine/clock.h"
#include "machine/stream_read.h"
#include "machine/topology.h"
#include "model/products.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bitfetch {
namespace {

struct Shape {
  int64_t layers, hidden, kv, ffn;
  int64_t weights() const {
    return layers * (2 * hidden * hidden + 2 * kv * hidden + 3 * ffn * hidden);
  }
};
constexpr Shape k2B4T = {30, 2560, 640, 6912};
constexpr Shape kBonsai = {28, 2048, 1024, 6144};
constexpr int64_t kMaxCols = 6912;
constexpr int kGroup = 64;

// The matrices that are multiplied with the same tokens, one fork and join.
template <class Matrix>
using Stage = std::vector<Matrix>;

// The stages of all layers in the order of a token. take(rows, cols): the next matrix.
template <class Take>
auto StagesOf(const Shape& shape, const Take& take) {
  const auto [layers, hidden, kv, ffn] = shape;
  std::vector<Stage<decltype(take(hidden, hidden))>> stages;
  for (int64_t layer = 0; layer < layers; ++layer) {
    stages.push_back({take(hidden, hidden), take(kv, hidden), take(kv, hidden)});
    stages.push_back({take(hidden, hidden)});
    stages.push_back({take(ffn, hidden), take(ffn, hidden)});
    stages.push_back({take(hidden, ffn)});
  }
  return stages;
}

// As a file of I2_S has them one after another: half of them begin inside a cache line.
constexpr int64_t kTrailerBytes = 32;
std::vector<Stage<TernaryRows>> RowsAt(const std::byte* codes) {
  return StagesOf(k2B4T, [&](int64_t rows, int64_t cols) {
    const TernaryRows matrix{reinterpret_cast<const uint8_t*>(codes), rows, cols,
                             static_cast<size_t>(cols / 4), 0.5f};
    codes += rows * cols / 4 + kTrailerBytes;
    return matrix;
  });
}

// The same with five codes in a byte, where there is room for the others.
std::vector<Stage<TernaryRows>> PackedAt(std::byte* memory, const std::byte* codes) {
  auto* to = reinterpret_cast<uint8_t*>(memory);
  std::vector<Stage<TernaryRows>> stages = RowsAt(codes);
  for (auto& stage : stages) {
    for (TernaryRows& matrix : stage) {
      const TernaryRows fives = AsFives(matrix, to);
      for (int64_t five = 0; five < fives.lines(); ++five, to += fives.row_bytes) {
        PackFives(matrix, five, to);
      }
      matrix = fives;
    }
  }
  return stages;
}

std::vector<Stage<TernaryGroups>> GroupsAt(const std::byte* strips) {
  return StagesOf(kBonsai, [&](int64_t rows, int64_t cols) {
    const TernaryGroups matrix{strips, rows, cols, kGroup};
    strips += matrix.bytes();
    return matrix;
  });
}

// A file of I2_S, all of it in the page cache.
class WeightsFile {
 public:
  static const WeightsFile& Get() {
    static const WeightsFile file;
    return file;
  }
  std::string path() const { return dir_.Path("weights"); }

 private:
  WeightsFile() {
    std::vector<std::byte> bytes(k2B4T.weights() / 4 + k2B4T.layers * 7 * kTrailerBytes);
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

// Groups in memory of their own, as a model has them.
PageBuffer WeightsOfGroups() {
  size_t bytes = 0;
  for (const auto& stage : GroupsAt(nullptr)) {
    for (const TernaryGroups& matrix : stage) bytes += matrix.bytes();
  }
  PageBuffer memory = PageBuffer::Allocate(bytes, PageSize::kHuge).value();
  // Read as codes or as scales, it is some number of moderate size.
  for (size_t i = 0; i < bytes; ++i)
    memory.data()[i] = static_cast<std::byte>(i * 2654435761 >> 24 & 0x3b);
  return memory;
}

struct Tokens {
  explicit Tokens(int64_t tokens)
      : values(tokens * kMaxCols),
        sums(tokens * kMaxCols / kQuantizedGroup),
        scales(sums.size(), 1.0f),
        count(tokens),
        out(tokens * 2 * kMaxCols) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<int8_t>(i * 2654435761 >> 24);
    }
  }
  QuantizedRows Rows(int64_t cols) const {
    return {values.data(), sums.data(), scales.data(), count, cols};
  }
  QuantizedGroups Groups(int64_t cols) const {
    return {values.data(), scales.data(), sums.data(), count, cols};
  }
  std::vector<int8_t> values;
  std::vector<int32_t> sums;
  std::vector<float> scales;
  int64_t count;
  std::vector<float> out;
};

void MultiplyRows(const TernaryRows& matrix, int64_t begin, int64_t end, const Kernels& kernels,
                  const Tokens& tokens, float* out) {
  kernels.ternary_matmul(matrix, begin, end, tokens.Rows(matrix.cols), out, matrix.rows);
}
void MultiplyRows(const TernaryGroups& matrix, int64_t begin, int64_t end, const Kernels& kernels,
                  const Tokens& tokens, float* out) {
  kernels.ternary_groups_matmul(matrix, begin, end, tokens.Groups(matrix.cols), out, matrix.rows);
}

// In the runs of rows that Products hands out.
template <class Matrix>
void Multiply(const Stage<Matrix>& stage, const Kernels& kernels, ThreadPool& pool,
              Tokens& tokens) {
  const int64_t count = tokens.count;
  const auto at_a_time = [&](const Matrix& matrix) {
    return ProductRowsAtATime({.weights = matrix, .norm = {}, .out = nullptr}, count,
                              pool.threads());
  };
  struct Piece {
    const Matrix* matrix;
    int64_t begin;
    float* out;
  };
  std::vector<Piece> pieces;
  float* out = tokens.out.data();
  for (const Matrix& matrix : stage) {
    for (int64_t begin = 0; begin < matrix.rows; begin += at_a_time(matrix)) {
      pieces.push_back({&matrix, begin, out});
    }
    out += matrix.rows * count;
  }
  pool.ParallelFor(static_cast<int64_t>(pieces.size()), [&](int64_t i, int) {
    const auto& [matrix, begin, to] = pieces[i];
    MultiplyRows(*matrix, begin, std::min(begin + at_a_time(*matrix), matrix->rows), kernels,
                 tokens, to);
  });
}

void Report(benchmark::State& state, const std::string& name, const std::vector<double>& figures) {
  const Spread spread = SpreadOf(figures);
  state.counters[name] = spread.median;
  state.counters[name + "_min"] = spread.min;
  state.counters[name + "_max"] = spread.max;
}

template <class Matrix>
void OneToken(benchmark::State& state, const Kernels& kernels,
              const std::vector<Stage<Matrix>>& stages) {
  const auto pool = ThreadPool::Create(ReadTopology().threads).value();
  StreamRead stream = StreamRead::Create(*pool, StreamRead::ColdBytes(), PageSize::kHuge).value();
  Tokens token(1);
  const auto pass = [&] {
    int64_t bytes = 0;
    const double start = NowNs();
    for (const auto& stage : stages) {
      Multiply(stage, kernels, *pool, token);
      for (const Matrix& matrix : stage) bytes += matrix.bytes();
    }
    return static_cast<double>(bytes) / (NowNs() - start);
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

template <class Matrix>
void Batch(benchmark::State& state, const Kernels& kernels, const Shape& shape,
           const std::vector<Stage<Matrix>>& stages) {
  const auto pool = ThreadPool::Create(ReadTopology().threads).value();
  Tokens tokens(state.range(0));
  std::vector<double> speeds;
  std::vector<double> shares;
  size_t next = 0;
  for ([[maybe_unused]] const auto _ : state) {
    double products = 0;
    const double start = NowNs();
    for (int i = 0; i < 16; ++i) {
      const auto& stage = stages[next++ % stages.size()];
      Multiply(stage, kernels, *pool, tokens);
      for (const Matrix& matrix : stage) {
        products += static_cast<double>(matrix.rows * matrix.cols * state.range(0));
      }
    }
    const double per_ns = products / (NowNs() - start);
    speeds.push_back(per_ns * 1e9 / static_cast<double>(shape.weights()));
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

using Run = std::function<void(benchmark::State&)>;

void RegisterOneToken(const std::string& name, const Run& run) {
  benchmark::RegisterBenchmark(("OneToken/" + name).c_str(), run)
      ->Iterations(15)
      ->Unit(benchmark::kMillisecond);
}

void RegisterBatch(const std::string& name, const Run& run) {
  benchmark::RegisterBenchmark(("Batch/" + name).c_str(), run)
      ->Arg(2)
      ->Arg(4)
      ->Arg(8)
      ->Arg(16)
      ->Arg(64)
      ->Iterations(15)
      ->Unit(benchmark::kMillisecond);
}

const bool kRegistered = [] {
  const auto open = [](bool mapped) {
    return MappedFile::Open(WeightsFile::Get().path(), mapped).value();
  };
  for (const Kernels* kernels : SupportedKernels()) {
    if (kernels->isa == Isa::kScalar) continue;
    const std::string name(IsaName(kernels->isa));
    for (const bool mapped : {true, false}) {
      RegisterOneToken(name + (mapped ? "/mapped" : "/huge"), [=](benchmark::State& state) {
        const MappedFile weights = open(mapped);
        OneToken(state, *kernels, RowsAt(weights.bytes().data()));
      });
    }
    RegisterBatch(name, [=](benchmark::State& state) {
      const MappedFile weights = open(true);
      Batch(state, *kernels, k2B4T, RowsAt(weights.bytes().data()));
    });
    const auto with_fives = [=](const auto& measure) {
      const MappedFile weights = open(false);
      PageBuffer memory = PageBuffer::Allocate(weights.bytes().size(), PageSize::kHuge).value();
      measure(PackedAt(memory.data(), weights.bytes().data()));
    };
    RegisterOneToken(name + "/fives", [=](benchmark::State& state) {
      with_fives([&](const auto& stages) { OneToken(state, *kernels, stages); });
    });
    RegisterBatch(name + "/fives", [=](benchmark::State& state) {
      with_fives([&](const auto& stages) { Batch(state, *kernels, k2B4T, stages); });
    });
    RegisterOneToken(name + "/groups", [=](benchmark::State& state) {
      const PageBuffer weights = WeightsOfGroups();
      OneToken(state, *kernels, GroupsAt(weights.data()));
    });
    RegisterBatch(name + "/groups", [=](benchmark::State& state) {
      const PageBuffer weights = WeightsOfGroups();
      Batch(state, *kernels, kBonsai, GroupsAt(weights.data()));
    });
  }
  return true;
}();

}  // namespace
}  // namespace bitfetch
