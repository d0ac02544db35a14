// SPDX-License-Identifier: Apache-2.0
#include "bench/distance_bench.h"

#include <algorithm>
#include <utility>

#include "engine/cold_weights.h"
#include "machine/cold_buffer.h"

namespace bitfetch {
namespace {

// Of weights in one pass: as much as of KV.
constexpr size_t kWeightsBytes = size_t{32} << 20;

// Of the numbers of streams those that kernels of weights can walk.
DistanceSweep OfWeights(DistanceSweep sweep) {
  std::erase_if(sweep.streams, [](int streams) { return streams > kMaxRowStreams; });
  return sweep;
}

class DistanceBench {
 public:
  using OnRows = std::function<Status(const std::vector<DistanceBenchRow>&)>;

  DistanceBench(const DistanceBenchOptions& options, const Kernels& kernels, const OnRows& on_rows,
                const std::function<void()>& on_round)
      : options_(options),
        kernels_(kernels),
        profile_(ProfileForBench(kernels, options.places.kv_types)),
        on_rows_(on_rows),
        on_round_(on_round) {}

  Status Attention() {
    return ForEachPlace(
        options_.places,
        [&](const AttentionPlace& place, ThreadPool& pool, StreamRead& read) -> Status {
          BITFETCH_ASSIGN_OR_RETURN(
              PlacedAttention attention,
              PlacedAttention::Create(kernels_, pool, options_.places.shape, place, read.bytes()));
          const auto pass = [&](const PrefetchPlan& plan) { return attention.Pass(plan); };
          return Add(place, std::nullopt,
                     SweepDistances(options_.sweep, ChoosePrefetch(profile_, attention.access()),
                                    pass, read, on_round_));
        });
  }

  Status Weights(const AttentionPlace& place, WeightsKind kind, ThreadPool& pool,
                 StreamRead& read) {
    BITFETCH_ASSIGN_OR_RETURN(ColdBuffer buffer,
                              ColdBuffer::Create(pool, read.bytes(), place.pages));
    ColdWeights weights(kernels_, pool, kind);
    const auto pass = [&](const PrefetchPlan& plan) {
      return weights.Pass(buffer.NextBytes(std::min(kWeightsBytes, buffer.size() / 4)), plan) *
             1e-9;
    };
    return Add(place, kind,
               SweepDistances(OfWeights(options_.sweep),
                              ChoosePrefetch(profile_, weights.Access(place.pages)), pass, read,
                              on_round_));
  }

  std::vector<DistanceBenchRow>& rows() { return rows_; }

 private:
  Status Add(const AttentionPlace& place, std::optional<WeightsKind> kind,
             const std::vector<SweptPlan>& swept) {
    std::vector<DistanceBenchRow> of_sweep;
    for (const SweptPlan& each : swept) of_sweep.push_back({each, place, kind});
    rows_.insert(rows_.end(), of_sweep.begin(), of_sweep.end());
    return on_rows_ ? on_rows_(of_sweep) : Status();
  }

  const DistanceBenchOptions& options_;
  const Kernels& kernels_;
  const MachineProfile profile_;
  const OnRows& on_rows_;
  const std::function<void()>& on_round_;
  std::vector<DistanceBenchRow> rows_;
};

}  // namespace

int64_t DistanceBenchOptions::count() const {
  if (weights.empty()) return places.count();
  return static_cast<int64_t>(weights.size() * places.threads.size() * places.pages.size());
}

Result<std::vector<DistanceBenchRow>> BenchDistance(
    const DistanceBenchOptions& options,
    const std::function<Status(const std::vector<DistanceBenchRow>&)>& on_rows,
    const std::function<void(int64_t done, int64_t total)>& on_pass) {
  BITFETCH_RETURN_IF_ERROR(CheckPlaces(options.places));
  BITFETCH_RETURN_IF_ERROR(CheckSweep(options.sweep));
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  const int64_t total = options.count() * options.sweep.repeats;
  int64_t done = 0;
  const std::function<void()> on_round = [&] {
    ++done;
    if (on_pass) on_pass(done, total);
  };
  DistanceBench bench(options, *kernels, on_rows, on_round);
  if (options.weights.empty()) {
    BITFETCH_RETURN_IF_ERROR(bench.Attention());
  } else {
    AttentionPlaces once = options.places;  // the weights lie in no cache
    once.n_kv.resize(1);
    once.kv_types.resize(1);
    once.placements.resize(1);
    BITFETCH_RETURN_IF_ERROR(
        ForEachPlace(once, [&](const AttentionPlace& place, ThreadPool& pool, StreamRead& read) {
          Status status;
          for (const WeightsKind kind : options.weights) {
            if (status) status = bench.Weights(place, kind, pool, read);
          }
          return status;
        }));
  }
  return std::move(bench.rows());
}

}  // namespace bitfetch
