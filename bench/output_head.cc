// SPDX-License-Identifier: Apache-2.0
// The output head in full and screened, cold, beside the best streaming read of the same run; and
// how many rows a screen leaves to compute.
#include "model/output_head.h"

#include <benchmark/benchmark.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/float16.h"
#include "bench/engine_for_bench.h"
#include "bench/spread.h"
#include "engine/session.h"
#include "kernels/kernels.h"
#include "machine/clock.h"
#include "machine/stream_read.h"
#include "machine/topology.h"
#include "text/sampler.h"

namespace bitfetch {
namespace {

constexpr int64_t kVocab = 128256;  // of BitNet b1.58 2B4T
constexpr int64_t kHidden = 2560;

// Sums of four random bytes: near enough to a normal distribution, and quick.
float Bell(uint64_t index) {
  uint64_t mixed = (index + 1) * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  int sum = -4 * 255;
  for (int shift = 0; shift < 64; shift += 8) sum += static_cast<int>(mixed >> shift & 0xff);
  return static_cast<float>(sum) * 0.005f;
}

double SecondsOf(const std::function<void()>& work) {
  const double start = NowNs();
  work();
  return (NowNs() - start) * 1e-9;
}

void Report(benchmark::State& state, const std::string& name, const std::vector<double>& figures) {
  const Spread spread = SpreadOf(figures);
  state.counters[name] = spread.median;
  state.counters[name + "_min"] = spread.min;
  state.counters[name + "_max"] = spread.max;
}

// One random head of 2B4T's shape, all threads, and activations that are random, or lie along one
// of its rows with a cosine of 0.37: each pass reads as a stream, the first four bits of its copy
// alone, the screened head, and the full one.
void FullAndScreened(benchmark::State& state) {
  const Topology topology = ReadTopology();
  const auto pool = ThreadPool::Create(topology.threads).value();
  const Kernels& kernels = *ChooseKernels().value();
  auto memory = PageBuffer::Allocate(kVocab * kHidden * 2, PageSize::kHuge).value();
  auto* halves = reinterpret_cast<uint16_t*>(memory.data());
  pool->ParallelFor(kVocab, [&](int64_t row, int) {
    for (int64_t i = row * kHidden; i < (row + 1) * kHidden; ++i) halves[i] = F32ToF16(Bell(i));
  });
  const GgufTensor tensor{"output.weight",
                          TensorType::kF16,
                          {kHidden, kVocab, 1, 1},
                          kVocab * kHidden,
                          {memory.data(), static_cast<size_t>(kVocab * kHidden * 2)}};
  StreamRead stream = StreamRead::Create(*pool, size_t{256} << 20, PageSize::kHuge).value();

  std::shared_ptr<const HeadScreen> screen;
  const double build_seconds = SecondsOf([&] {
    screen =
        std::make_shared<const HeadScreen>(HeadScreen::Build(tensor, kernels, *pool, {}).value());
  });
  OutputHead full(tensor, kernels, *pool);
  OutputHead screened(tensor, kernels, *pool);
  screened.SetScreen(screen);
  const LogitsWanted wanted{.top = state.range(0)};

  std::vector<float> x(kHidden);
  std::vector<float> all(kVocab);
  std::vector<Logit> some;
  HeadScreen::Input input;
  std::vector<double> ratios;
  std::vector<double> full_ms;
  std::vector<double> screened_ms;
  std::vector<double> kernel_shares;
  std::vector<double> full_shares;
  std::vector<double> rows;
  std::vector<double> bytes;
  const HeadQuery query{.x = x.data(), .wanted = wanted, .logits = &some};
  const HeadRows whole{.x = x.data(), .logits = all.data()};
  uint64_t token = 0;
  for (auto _ : state) {
    const uint16_t* row = halves + token * 37 % kVocab * kHidden;
    for (int64_t i = 0; i < kHidden; ++i) {
      x[i] = Bell((token << 40) + i) + (state.range(1) != 0 ? 0.4f * F16ToF32(row[i]) : 0.0f);
    }
    ++token;
    const double read = stream.Once() * 1e9;
    screen->Prepare(x.data(), &input);
    const double kernel_seconds = SecondsOf([&] {
      pool->ParallelFor(kVocab / 64, [&](int64_t piece, int) {
        double sums[64];
        double value[64];
        double upper[64];
        const HeadScreen::Token token{&input, sums, value, upper};
        screen->Bounds(kernels, piece * 64, piece * 64 + 64, {&token, 1});
        benchmark::DoNotOptimize(upper[0]);
      });
    });
    const double screened_seconds = SecondsOf([&] { screened.Wanted({&query, 1}); });
    const double full_seconds = SecondsOf([&] { full.All({&whole, 1}); });
    full_ms.push_back(full_seconds * 1e3);
    screened_ms.push_back(screened_seconds * 1e3);
    ratios.push_back(full_seconds / screened_seconds);
    kernel_shares.push_back(static_cast<double>(kVocab * screen->row_bytes(0)) / kernel_seconds /
                            read);
    bytes.push_back(static_cast<double>(screened.bytes_read()) * 1e-6);
    full_shares.push_back(kVocab * kHidden * 2 / full_seconds / read);
    rows.push_back(static_cast<double>(screened.rows_computed()));
  }
  Report(state, "full_over_screened", ratios);
  Report(state, "full_ms", full_ms);
  Report(state, "screened_ms", screened_ms);
  Report(state, "four_bits_share_of_read", kernel_shares);
  Report(state, "full_share_of_read", full_shares);
  Report(state, "rows", rows);
  Report(state, "screened_mb", bytes);
  state.counters["build_ms"] = build_seconds * 1e3;
}
BENCHMARK(FullAndScreened)
    ->ArgNames({"top", "along_row"})
    ->ArgsProduct({{1, 40}, {0, 1}})
    ->Iterations(21)
    ->Unit(benchmark::kMillisecond);

// Rows that the tokens of the tiny model's text leave to compute, as a median: 64 tokens of
// models/tiny.gguf, or of the model that BITFETCH_BENCH_MODEL names.
void RowsOfModel(benchmark::State& state, const SamplerOptions& sampling) {
  const char* path = std::getenv("BITFETCH_BENCH_MODEL");
  EngineOptions options;
  options.screen_from_bytes = 0;
  auto opened = Engine::Open(path == nullptr ? "models/tiny.gguf" : path, options);
  if (!opened) return state.SkipWithError(opened.error().message.c_str());
  const std::shared_ptr<Engine> engine = *std::move(opened);
  Session session(engine, engine->NewSequence().value());
  Sampler sampler = Sampler::Create(sampling).value();
  std::vector<double> rows;
  for (auto _ : state) {
    int token = 1;
    for (int i = 0; i < 64; ++i) {
      (void)session.Append(std::span(&token, 1)).value();
      const auto& history = session.tokens();
      token = sampler.Sample(session.Logits(sampler.Wanted(history)).value(), history);
      rows.push_back(static_cast<double>(EngineForBench(*engine).head_rows()));
    }
  }
  Report(state, "rows", rows);
  state.counters["vocab"] = static_cast<double>(engine->model().config().vocab);
}
BENCHMARK_CAPTURE(RowsOfModel, greedy, {})->Iterations(1);
BENCHMARK_CAPTURE(RowsOfModel, greedy_penalty, {.repeat_penalty = 1.1})->Iterations(1);
BENCHMARK_CAPTURE(RowsOfModel, top_40, {.temperature = 1, .top_k = 40})->Iterations(1);
BENCHMARK_CAPTURE(RowsOfModel, min_p_5, {.temperature = 1, .min_p = 0.05})->Iterations(1);

}  // namespace
}  // namespace bitfetch
