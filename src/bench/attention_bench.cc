// SPDX-License-Identifier: Apache-2.0
#include "bench/attention_bench.h"

#include <algorithm>

namespace bitfetch {
namespace {

// The rows of one place, one for each prefetch setting, measured in turn.
Result<std::vector<AttentionBenchRow>> MeasureTogether(const AttentionBenchOptions& options,
                                                       const AttentionPlace& place,
                                                       const Kernels& kernels,
                                                       const MachineProfile& profile,
                                                       ThreadPool& pool, StreamRead& read) {
  BITFETCH_ASSIGN_OR_RETURN(
      PlacedAttention attention,
      PlacedAttention::Create(kernels, pool, options.places.shape, place, read.bytes()));

  const size_t count = options.prefetch.size();
  std::vector<PrefetchPlan> plans;
  for (const PrefetchSetting& setting : options.prefetch) {
    plans.push_back(ResolvePrefetch(setting, profile, attention.access()));
    attention.Pass(plans.back());
  }
  std::vector<double> reads;
  std::vector<std::vector<double>> speeds(count);
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    reads.push_back(read.Once());
    for (size_t i = 0; i < count; ++i) {
      const size_t setting =
          (i + repeat) % count;  // none is always the first after the streaming read
      speeds[setting].push_back(attention.Pass(plans[setting]));
    }
  }

  const size_t off =
      std::ranges::find(options.prefetch, PrefetchSetting::Mode::kOff, &PrefetchSetting::mode) -
      options.prefetch.begin();
  std::vector<AttentionBenchRow> rows;
  for (size_t i = 0; i < count; ++i) {
    AttentionBenchRow row{.place = place,
                          .prefetch = options.prefetch[i],
                          .plan = plans[i],
                          .gb_per_s = SpreadOf(speeds[i]),
                          .read_gb_per_s = SpreadOf(reads),
                          .fraction = SpreadOf(Ratios(speeds[i], reads)),
                          .over_off = std::nullopt,
                          .repeats = options.repeats};
    if (off < count) row.over_off = SpreadOf(Ratios(speeds[i], speeds[off]));
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

Result<std::vector<AttentionBenchRow>> BenchAttention(
    const AttentionBenchOptions& options,
    const std::function<Status(const AttentionBenchRow&, int64_t done, int64_t total)>& on_row) {
  if (options.repeats < 1) return Fail("{} repeats are too few", options.repeats);
  BITFETCH_RETURN_IF_ERROR(CheckPlaces(options.places));
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  const MachineProfile profile = ProfileForBench(*kernels, options.places.kv_types);
  const int64_t total = options.places.count() * static_cast<int64_t>(options.prefetch.size());
  std::vector<AttentionBenchRow> rows;
  const auto measure = [&](const AttentionPlace& place, ThreadPool& pool,
                           StreamRead& read) -> Status {
    BITFETCH_ASSIGN_OR_RETURN(const auto measured,
                              MeasureTogether(options, place, *kernels, profile, pool, read));
    for (const AttentionBenchRow& row : measured) {
      rows.push_back(row);
      if (on_row) BITFETCH_RETURN_IF_ERROR(on_row(row, static_cast<int64_t>(rows.size()), total));
    }
    return {};
  };
  BITFETCH_RETURN_IF_ERROR(ForEachPlace(options.places, measure));
  return rows;
}

}  // namespace bitfetch
