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

std::string TableRow(const DistanceBenchRow& row) {
  return fmt::format("{}  {:<24}  {}", PlaceText(row.place, row.prefetch, row.plan),
                     SpreadText(row.gb_per_s), SpreadText(row.fraction));
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
  return fmt::format(
      "{}, {} pages, {}, {}, {} tokens: best {}; auto {}; auto over best {}, {} pairs",
      Counted(row.place.threads, "thread"), PageSizeName(row.place.pages),
      BlockPlacementName(row.place.placement), KvTypesName(row.place.kv_types), row.place.n_kv,
      PlanText(best), PlanText(row.plan), SpreadText(ratio), pairs);
}

BenchJson ToJson(const DistanceBenchRow& row) {
  BenchJson json = PlaceJson("distance", row.place, row.prefetch, row.plan);
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

std::string DistanceHeader() {
  return fmt::format("{}  {:<24}  {}", kPlaceHeader, "GB/s", kFractionTitle);
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
        if (++places == bench.places.count()) text += summary;
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
report` draws the figures.

examples:
  bitfetch bench distance
  bitfetch bench distance -t 1 --kv-type q8_0 --pages 4k --json distance.json)",
                           kAttentionRowsHelp)});
  AddAttentionPlaces(command, &options->bench.places, "contiguous,paged");
  AddRepeatsAndJson(command, &options->bench.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(DistanceHeader(), options->json,
                      [&](BenchRows& rows) { return RunDistanceBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
