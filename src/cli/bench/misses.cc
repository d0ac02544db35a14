// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/bench/commands.h"
#include "cli/bench/runs.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

constexpr const char* kNotCounted = "this CPU or system does not count it";

struct MissesArguments {
  MissesBenchOptions bench;
  std::string json;
};

std::string Percent(double share) { return fmt::format("{:.1f} %", 100 * share); }
std::string Percent(const Spread& share) {
  return fmt::format("{:.1f} % ({:.1f} .. {:.1f})", 100 * share.median, 100 * share.min,
                     100 * share.max);
}

std::string FewerText(const Spread& fewer) {
  return fmt::format("{:.1f} ({:.1f} .. {:.1f})", fewer.median, fewer.min, fewer.max);
}

std::string BinText(const TouchShares::Bin& bin) {
  if (std::isinf(bin.to_ns)) return fmt::format("{:>4} ns and more ", bin.from_ns);
  return fmt::format("{:>4} to {:>4} ns ", bin.from_ns, bin.to_ns);
}

std::string TouchesText(const TouchShares& shares) {
  constexpr int kWidth = 40;
  std::string text =
      fmt::format("\n    {} first loads timed, one in {:.0f} chunks of tokens:", shares.touches,
                  shares.in_chunks);
  for (size_t i = 0; i < shares.level_share.size(); ++i) {
    text += fmt::format("{} {} {}", i > 0 ? "," : "", Percent(shares.level_share[i]),
                        shares.times.levels[i].name);
  }
  text += fmt::format("; {} waited for DRAM or behind a load that did", Percent(shares.late_share));
  for (const TouchShares::Bin& bin : shares.histogram) {
    const double share = static_cast<double>(bin.touches) / static_cast<double>(shares.touches);
    text += fmt::format("\n    {:<18}|{:<{}}| {}", BinText(bin),
                        std::string(std::lround(share * kWidth), '#'), kWidth, Percent(share));
  }
  return text;
}

std::string TableRow(const MissesBenchRow& row) {
  std::string text = PlaceText(row.place, row.prefetch, row.plan);
  if (row.touches) {
    const TouchShares& shares = *row.touches;
    text += fmt::format("  {:<22}  {:<19}  {}", Percent(shares.dram_share),
                        shares.fewer ? FewerText(*shares.fewer) : "-", Percent(shares.cost));
    text += TouchesText(shares);
  } else {
    text += "\n    no loads timed: " + row.touches.error().message;
  }
  if (!row.counted) return text + "\n    no misses counted: " + row.counted.error().message;
  for (const CountedEvent& event : *row.counted) {
    text += event.per_kv_byte
                ? fmt::format("\n    {:.4f} {} a byte of KV", *event.per_kv_byte, event.name)
                : fmt::format("\n    no {} counted: {}", event.name, kNotCounted);
  }
  return text;
}

BenchJson ToJson(const MissesBenchRow& row) {
  BenchJson json = PlaceJson("misses", row.place, row.prefetch, row.plan);
  if (row.touches) {
    const TouchShares& shares = *row.touches;
    json["touches"] = shares.touches;
    json["chunks_per_touch"] = shares.in_chunks;
    AddSpread(json, "dram_share", shares.dram_share);
    AddSpread(json, "late_share", shares.late_share);
    if (shares.fewer) AddSpread(json, "fewer", *shares.fewer);
    AddSpread(json, "sampling_cost", shares.cost);
    json["timer_step_ns"] = shares.times.step_ns;
  } else {
    json["touches_unavailable"] = row.touches.error().message;
  }
  if (row.counted) {
    for (const CountedEvent& event : *row.counted) {
      if (event.per_kv_byte) {
        json[event.name + "_per_byte"] = *event.per_kv_byte;
      } else {
        json[event.name + "_unavailable"] = kNotCounted;
      }
    }
  } else {
    json["counters_unavailable"] = row.counted.error().message;
  }
  json["repeats"] = row.repeats;
  return json;
}

// A row for each level, and for each bin of the histogram.
void AddTouches(BenchRows& rows, const MissesBenchRow& row) {
  if (!row.touches) return;
  const TouchShares& shares = *row.touches;
  for (size_t i = 0; i < shares.level_share.size(); ++i) {
    BenchJson json = PlaceJson("misses", row.place, row.prefetch, row.plan);
    json["level"] = shares.times.levels[i].name;
    json["latency_ns"] = shares.times.levels[i].ns;
    json["from_ns"] = shares.times.BorderNs(i);
    json["share"] = shares.level_share[i];
    rows.AddJson(std::move(json));
  }
  for (const TouchShares::Bin& bin : shares.histogram) {
    BenchJson json = PlaceJson("misses", row.place, row.prefetch, row.plan);
    json["from_ns"] = bin.from_ns;
    if (!std::isinf(bin.to_ns)) json["to_ns"] = bin.to_ns;
    json["touches"] = bin.touches;
    json["share"] = static_cast<double>(bin.touches) / static_cast<double>(shares.touches);
    rows.AddJson(std::move(json));
  }
}

std::string MissesHeader() {
  return fmt::format("{}  {:<22}  {:<19}  {}", kPlaceHeader, "waits for DRAM", kFewerTitle,
                     "cost of sampling");
}

}  // namespace

Status RunMissesBench(const MissesBenchOptions& options, BenchRows& rows) {
  MissesBenchOptions bench = options;
  if (bench.places.threads.empty()) bench.places.threads = {ReadTopology().threads};
  const auto on_row = [&](const MissesBenchRow& row, int64_t done, int64_t total) -> Status {
    BITFETCH_RETURN_IF_ERROR(rows.Add(TableRow(row), ToJson(row)));
    AddTouches(rows, row);
    return rows.Show(done, total, "rows");
  };
  return BenchMisses(bench, on_row);
}

void AddBenchMisses(Command& bench) {
  const auto options = std::make_shared<MissesArguments>();
  options->bench.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  Command& command = bench.Add("misses", {.usage = "[options]",
                                          .summary = "measure how often attention waits for DRAM",
                                          .more = fmt::format(R"({}

Now and then the first load of a cache line by attention is timed, rarely enough to cost less than
2 %, which is measured too. `waits for DRAM` is the share of these loads that no cache answered, and
`times fewer` how many times smaller it is than in the first row with --prefetch off. Where the
system shows the CPU's counters, cache misses are counted as well. docs/misses.md explains how.

examples:
  bitfetch bench misses
  bitfetch bench misses -t 1 --kv-type q8_0 --pages 4k --json misses.json)",
                                                              kAttentionRowsHelp)});
  AddAttentionPlaces(command, &options->bench.places, "contiguous,paged");
  AddPrefetch(command, "off,auto", &options->bench.prefetch);
  AddRepeatsAndJson(command, &options->bench.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(MissesHeader(), options->json,
                      [&](BenchRows& rows) { return RunMissesBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
