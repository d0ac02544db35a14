// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/bench/commands.h"
#include "cli/bench/runs.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

constexpr int64_t kMaxSequences = 64;
constexpr int64_t kMaxRows = 64;

struct BatchArguments {
  BatchBenchOptions bench;
  std::string json;
};

std::string TableRow(const BatchBenchRow& row) {
  return fmt::format(
      "{:>7}  {:<5}  {:<10}  {:<9}  {:>9}  {:>6}  {:>9}  {:>4}  {:<8}  {:<24}  {:<24}  {:<20}  "
      "{:<18}  {:<18}  {:>11.1f}  {}",
      row.place.threads, PageSizeName(row.place.pages), BlockPlacementName(row.place.placement),
      KvTypesName(row.place.kv_types), row.place.n_kv, row.shared, row.sequences, row.rows,
      PrefetchSettingText(row.prefetch), SpreadText(row.step_ms), SpreadText(row.tokens_per_s),
      SpreadText(row.over_one), SpreadText(row.of_bound),
      row.over_own ? SpreadText(*row.over_own) : "-",
      static_cast<double>(row.bytes_per_token) * 1e-6, SpreadText(row.fraction));
}

std::string BatchHeader() {
  return fmt::format(
      "threads  pages  layout      kv         KV tokens  shared  sequences  rows  prefetch  {:<24} "
      " "
      "{:<24}  {:<20}  {:<18}  {:<18}  MB a token  {}",
      "ms a step", "tokens/s", kOverOneTitle, kOfBoundTitle, kOverOwnTitle, kFractionTitle);
}

BenchJson ToJson(const BatchBenchRow& row) {
  BenchJson json = PlaceJson("batch", row.place, row.prefetch, row.plan);
  json["sequences"] = row.sequences;
  json["shared_tokens"] = row.shared;
  json["rows"] = row.rows;
  AddSpread(json, "step_ms", row.step_ms);
  AddSpread(json, "tokens_per_s", row.tokens_per_s);
  AddSpread(json, "over_one", row.over_one);
  AddSpread(json, "pass64_rows_per_s", row.pass64_rows_per_s);
  AddSpread(json, "of_bound", row.of_bound);
  if (row.over_own) AddSpread(json, "over_own", *row.over_own);
  json["bytes_per_token"] = row.bytes_per_token;
  AddSpread(json, "gb_per_s", row.gb_per_s);
  AddSpread(json, "read_gb_per_s", row.read_gb_per_s);
  AddSpread(json, "fraction", row.fraction);
  json["repeats"] = row.repeats;
  return json;
}

}  // namespace

Status RunBatchBench(const BatchBenchOptions& options, BenchRows& rows) {
  BatchBenchOptions bench = options;
  if (bench.places.threads.empty()) bench.places.threads = {ReadTopology().threads};
  return BenchBatch(bench, [&](const BatchBenchRow& row, int64_t done, int64_t total) -> Status {
    BITFETCH_RETURN_IF_ERROR(rows.Add(TableRow(row), ToJson(row)));
    return rows.Show(done, total, "rows");
  });
}

void AddBenchBatch(Command& bench) {
  const auto options = std::make_shared<BatchArguments>();
  BatchBenchOptions& batch = options->bench;
  batch.places.n_kv = {128};
  Command& command =
      bench.Add("batch", {.usage = "-m MODEL [options]",
                          .summary = "measure how fast many sequences are decoded together",
                          .more = fmt::format(R"({}

In a step each sequence takes --rows tokens behind its --n-kv, all in one pass over the weights. One
row leads to the likeliest next token of each sequence; several lead to all logits of each row, as
the check of drafted tokens wants them. The KV cache holds random numbers. Tokens/s are those of all
sequences together. They stand beside two others of the same run: those of one sequence and one row,
and their bound, which is one sequence's times the tokens of a step, or the rows/s of 64 tokens of a
prompt with all their logits if that is less. With --shared 0,S the speedup of sharing is measured
too.

examples:
  bitfetch bench batch -m models/tiny.gguf --sequences 1,8
  bitfetch bench batch -m models/tiny.gguf --sequences 4 --rows 1,4 --kv-type f16,q8_0
  bitfetch bench batch -m models/tiny.gguf --sequences 8 --n-kv 576 --shared 0,512 --json batch.json)",
                                              kRowsHelp)});
  AddModelPlaces(command, &batch.places);
  AddCounts(command, "--sequences", "how many sequences take a step together", &batch.sequences, 1,
            kMaxSequences);
  AddCounts(command, "--n-kv",
            "how many tokens each sequence holds already, the shared ones among them",
            &batch.places.n_kv, 1, kMaxTokens);
  AddCounts(command, "--shared", "how many of those, from the first, all sequences have in common",
            &batch.shared, 0, kMaxTokens);
  AddCounts(command, "--rows", "how many tokens of each sequence a step takes", &batch.rows, 1,
            kMaxRows);
  AddPrefetch(command, "auto", &batch.prefetch);
  AddRepeatsAndJson(command, &batch.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(BatchHeader(), options->json,
                      [&](BenchRows& rows) { return RunBatchBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
