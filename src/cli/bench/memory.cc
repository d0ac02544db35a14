// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "bench/memory_bench.h"
#include "cli/bench/commands.h"
#include "cli/bench/rows.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

struct MemoryArguments {
  MemoryBenchOptions bench;
  std::string json;
};

std::string MemoryHeader() {
  return fmt::format("threads  pages  layout      prefetch  streams  {:<24}  {}", "GB/s",
                     kFractionTitle);
}

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

Status RunMemoryBench(const MemoryBenchOptions& options, BenchRows& rows) {
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
  const auto options = std::make_shared<MemoryArguments>();
  options->bench.pages = {PageSize::kHuge, PageSize::k4K};
  Command& command = bench.Add(
      "memory", {.usage = "[options]",
                 .summary = "measure how fast this machine reads memory that no cache holds",
                 .more = fmt::format(R"({}

Rows with 0 streams are plain loads; the others prefetch what the same loads read, along 1, 2, 4 and
8 streams. Peak read bandwidth is the fastest of those that read in the order of addresses.

examples:
  bitfetch bench memory
  bitfetch bench memory -t 2 --layout contiguous,paged --json memory.json)",
                                     kRowsHelp)});
  MemoryBenchOptions& bench_options = options->bench;
  AddPlaces(command, &bench_options.threads,
            fmt::format("1, 2, 4 and so on, up to {}", kAllThreads), &bench_options.placements,
            "contiguous", &bench_options.pages, "huge,4k");
  AddRepeatsAndJson(command, &bench_options.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(MemoryHeader(), options->json,
                      [&](BenchRows& rows) { return RunMemoryBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
