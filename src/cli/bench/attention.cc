// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/bench/commands.h"
#include "cli/bench/runs.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

struct AttentionArguments {
  AttentionBenchOptions bench;
  std::string json;
};

std::string TableRow(const AttentionBenchRow& row) {
  return fmt::format("{}  {:<24}  {:<28}  {}", PlaceText(row.place, row.prefetch, row.plan),
                     SpreadText(row.gb_per_s), SpreadText(row.fraction),
                     row.over_off ? SpreadText(*row.over_off) : "-");
}

BenchJson ToJson(const AttentionBenchRow& row) {
  BenchJson json = PlaceJson("attention", row.place, row.prefetch, row.plan);
  AddSpread(json, "gb_per_s", row.gb_per_s);
  AddSpread(json, "read_gb_per_s", row.read_gb_per_s);
  AddSpread(json, "fraction", row.fraction);
  if (row.over_off) AddSpread(json, "over_off", *row.over_off);
  json["repeats"] = row.repeats;
  return json;
}

std::string AttentionHeader() {
  return fmt::format("{}  {:<24}  {}  {}", kPlaceHeader, "GB/s", kFractionTitle, kOverOffTitle);
}

}  // namespace

Status RunAttentionBench(const AttentionBenchOptions& options, BenchRows& rows) {
  AttentionBenchOptions bench = options;
  if (bench.places.threads.empty()) bench.places.threads = {ReadTopology().threads};
  const auto on_row = [&](const AttentionBenchRow& row, int64_t done, int64_t total) -> Status {
    BITFETCH_RETURN_IF_ERROR(rows.Add(TableRow(row), ToJson(row)));
    return rows.Show(done, total, "rows");
  };
  BITFETCH_RETURN_IF_ERROR(BenchAttention(bench, on_row));
  return {};
}

void AddBenchAttention(Command& bench) {
  const auto options = std::make_shared<AttentionArguments>();
  Command& command =
      bench.Add("attention",
                {.usage = "[options]",
                 .summary = "measure how fast attention alone reads a KV cache that lies in memory",
                 .more = fmt::format(R"({}

Attention of one token reads a KV cache that no cache of the CPU holds. Peak read bandwidth is what
the fastest plain read reaches on the same threads and pages, measured in turn with attention; the
speedup is over the first row with --prefetch off. To see how much is noise, measure a setting
twice, as in --prefetch off,off,auto.

examples:
  bitfetch bench attention
  bitfetch bench attention --n-kv 2048,8192 --layout contiguous,paged --prefetch off,auto,4096
  bitfetch bench attention -t 1,2 --json attention.json)",
                                     kAttentionRowsHelp)});
  AddAttentionPlaces(command, &options->bench.places, "contiguous");
  AddPrefetch(command, "off,auto", &options->bench.prefetch);
  AddRepeatsAndJson(command, &options->bench.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(AttentionHeader(), options->json,
                      [&](BenchRows& rows) { return RunAttentionBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
