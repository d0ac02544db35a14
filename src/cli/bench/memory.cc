// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "bench/memory_bench.h"
#include "cli/bench/commands.h"
#include "cli/bench/rows.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

struct Options {
  MemoryBenchOptions bench;
  std::string json;
};

constexpr std::string_view kMemoryHeader =
    "threads  pages  layout      prefetch  streams  GB/s                      of the best in order";

std::string PrefetchText(const MemoryBenchRow& row) {
  return row.streams == 0 ? std::string("off") : fmt::format("{}", row.distance_bytes);
}

std::string TableRow(const MemoryBenchRow& row) {
  return fmt::format("{:>7}  {:<5}  {:<10}  {:<8}  {:>7}  {:<24}  {}", row.threads,
                     PageSizeName(row.pages), BlockPlacementName(row.placement), PrefetchText(row),
                     row.streams, SpreadText(row.gb_per_s), SpreadText(row.fraction));
}

BenchJson ToJson(const MemoryBenchRow& row) {
  BenchJson json = {{"bench", "memory"},
                    {"threads", row.threads},
                    {"layout", BlockPlacementName(row.placement)},
                    {"pages", PageSizeName(row.pages)},
                    {"prefetch", PrefetchText(row)},
                    {"distance_bytes", row.distance_bytes},
                    {"streams", row.streams}};
  AddSpread(json, "gb_per_s", row.gb_per_s);
  AddSpread(json, "read_gb_per_s", row.read_gb_per_s);
  AddSpread(json, "fraction", row.fraction);
  json["repeats"] = row.repeats;
  return json;
}

Status Run(const MemoryBenchOptions& options, BenchRows& rows) {
  MemoryBenchOptions bench = options;
  if (bench.threads.empty()) {
    const int max_threads = ReadTopology().threads;
    for (int threads = 1; threads < max_threads; threads *= 2) bench.threads.push_back(threads);
    bench.threads.push_back(max_threads);
  }
  const auto on_row = [&](const MemoryBenchRow& row, int64_t done, int64_t total) -> Status {
    BITFETCH_RETURN_IF_ERROR(rows.Add(TableRow(row), ToJson(row)));
    return rows.Show(done, total, "rows");
  };
  return BenchMemory(bench, on_row).map([](const auto&) {});
}

}  // namespace

void AddBenchMemory(Command& bench) {
  const auto options = std::make_shared<Options>();
  options->bench.pages = {PageSize::kHuge, PageSize::k4K};
  Command& command = bench.Add(
      "memory",
      {.usage = "[options]",
       .summary = "how fast this machine reads cold memory",
       .more =
           R"(Lists with commas give rows for each combination: plain loads (streams 0), then the same loads
prefetched over 1, 2, 4 and 8 streams. Rows are medians, with the range beside them.

examples:
  bitfetch bench memory
  bitfetch bench memory -t 2 --layout contiguous,paged --json memory.json)"});
  MemoryBenchOptions& bench_options = options->bench;
  AddPlaces(command, &bench_options.threads, "1, 2, 4, ... up to what affinity and cgroup allow",
            &bench_options.placements, "contiguous", &bench_options.pages, "huge,4k");
  AddRepeatsAndJson(command, &bench_options.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(kMemoryHeader, options->json,
                      [&](BenchRows& rows) { return Run(options->bench, rows); });
  });
}

}  // namespace bitfetch
