// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/bench/commands.h"
#include "cli/bench/runs.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

struct DistanceArguments {
  DistanceBenchOptions bench;
  std::string json;
};

constexpr std::string_view kWeightsHeader = "threads  pages  weights  prefetch  bytes ahead  hint";

std::string WeightsText(const AttentionPlace& place, WeightsKind kind,
                        const PrefetchSetting& prefetch, const PrefetchPlan& plan) {
  return fmt::format("{:>7}  {:<5}  {:<7}  {:<8}  {:>11}  {:<4}", place.threads,
                     PageSizeName(place.pages), WeightsKindName(kind),
                     PrefetchSettingText(prefetch), plan.distance_bytes, HintName(plan));
}

std::string TableRow(const DistanceBenchRow& row) {
  const std::string place = row.weights
                                ? WeightsText(row.place, *row.weights, row.prefetch, row.plan)
                                : PlaceText(row.place, row.prefetch, row.plan);
  return fmt::format("{}  {:<24}  {}", place, SpreadText(row.gb_per_s), SpreadText(row.fraction));
}

std::string Counted(int count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string PlanText(const PrefetchPlan& plan) {
  if (!plan.on) return "off";
  return fmt::format("{} bytes ahead, {}, {}", plan.distance_bytes, Counted(plan.streams, "stream"),
                     HintName(plan));
}

// What a place's rows come to.
std::string SummaryText(const DistanceBenchRow& row) {
  const auto& [best, ratio, pairs] = *row.head_to_head;
  const std::string what =
      row.weights ? std::string(WeightsKindName(*row.weights))
                  : fmt::format("{}, {}, {} tokens", BlockPlacementName(row.place.placement),
                                KvTypesName(row.place.kv_types), row.place.n_kv);
  return fmt::format("{}, {} pages, {}: best {}; auto {}; auto over best {}, {} pairs",
                     Counted(row.place.threads, "thread"), PageSizeName(row.place.pages), what,
                     PlanText(best), PlanText(row.plan), SpreadText(ratio), pairs);
}

BenchJson ToJson(const DistanceBenchRow& row) {
  BenchJson json = PlaceJson("distance", row.place, row.prefetch, row.plan);
  if (row.weights) {
    for (const char* of_kv : {"n_kv", "kv_type", "layout"}) json.erase(of_kv);
    json["weights"] = WeightsKindName(*row.weights);
  }
  AddSpread(json, "gb_per_s", row.gb_per_s);
  AddSpread(json, "read_gb_per_s", row.read_gb_per_s);
  AddSpread(json, "fraction", row.fraction);
  json["repeats"] = row.repeats;
  if (row.head_to_head) {
    const auto& [best, ratio, pairs] = *row.head_to_head;
    json["best_distance_bytes"] = best.distance_bytes;
    json["best_streams"] = best.streams;
    json["best_hint"] = HintName(best);
    AddSpread(json, "ratio", ratio);
    json["pairs"] = pairs;
  }
  return json;
}

std::string DistanceHeader(bool of_weights) {
  return fmt::format("{}  {:<24}  {}", of_weights ? kWeightsHeader : kPlaceHeader, "GB/s",
                     kFractionTitle);
}

}  // namespace

Status RunDistanceBench(const DistanceBenchOptions& options, BenchRows& to) {
  DistanceBenchOptions bench = options;
  if (bench.places.threads.empty()) bench.places.threads = {ReadTopology().threads};
  Status shown;
  std::string summary;
  int64_t places = 0;
  const auto on_rows = [&](const std::vector<DistanceBenchRow>& rows) -> Status {
    BITFETCH_RETURN_IF_ERROR(shown);
    for (const DistanceBenchRow& row : rows) {
      std::string text = TableRow(row);
      if (row.head_to_head) {
        summary += '\n' + SummaryText(row);
        if (++places == bench.count()) text += summary;
      }
      BITFETCH_RETURN_IF_ERROR(to.Add(text, ToJson(row)));
    }
    return {};
  };
  const auto on_round = [&](int64_t done, int64_t total) {
    if (shown) shown = to.Show(done, total, "rounds");
  };
  BITFETCH_RETURN_IF_ERROR(BenchDistance(bench, on_rows, on_round));
  return {};
}

void AddBenchDistance(Command& bench) {
  const auto options = std::make_shared<DistanceArguments>();
  options->bench.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  Command& command = bench.Add(
      "distance",
      {.usage = "[options]",
       .summary = "measure every prefetch distance and number of streams, beside those of auto",
       .more = fmt::format(R"({}

Attention of one token is measured without prefetching, with every distance from 64 bytes to 64 KiB
along 1 to 16 streams into L1 and into L2, and with what --prefetch auto chooses. In the end auto is
measured in turn with the best of all these, and the last lines say what came of it. `bitfetch bench
report` draws the figures. With --weights it is weights that are measured, along 1 to 4 streams:
rows that are multiplied side by side, as far apart as what a thread takes at a time allows.

examples:
  bitfetch bench distance
  bitfetch bench distance --weights fours,fives
  bitfetch bench distance -t 1 --kv-type q8_0 --pages 4k --json distance.json)",
                           kAttentionRowsHelp)});
  AddAttentionPlaces(command, &options->bench.places, "contiguous,paged");
  AddWeights(command, &options->bench.weights);
  AddRepeatsAndJson(command, &options->bench.sweep.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(DistanceHeader(!options->bench.weights.empty()), options->json,
                      [&](BenchRows& rows) { return RunDistanceBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
