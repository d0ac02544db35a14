// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "bench/draft_bench.h"
#include "cli/bench/commands.h"
#include "cli/bench/rows.h"
#include "cli/text_options.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

struct DraftArguments {
  DraftBenchOptions bench;
  TextOptions text;
  std::string json;
};

std::string TableRow(const DraftBenchRow& row) {
  return fmt::format("{:>7}  {:<5}  {:<10}  {:<9}  {:>5}  {:>6}  {:<5}  {:<24}  {:<20}  {:<20}  {}",
                     row.place.threads, PageSizeName(row.place.pages),
                     BlockPlacementName(row.place.placement), KvTypesName(row.place.kv_types),
                     row.place.n_kv, row.tokens, DraftText(row.draft), SpreadText(row.tokens_per_s),
                     row.over_off ? SpreadText(*row.over_off) : "-", SpreadText(row.drafted),
                     SpreadText(row.accepted));
}

std::string DraftHeader() {
  return fmt::format(
      "threads  pages  layout      kv          n_kv  tokens  draft  {:<24}  {:<20}  {:<20}  {}",
      "tokens/s", kOverOffTitle, "guessed a pass", "of them stood");
}

BenchJson ToJson(const DraftBenchRow& row) {
  BenchJson json = PlaceJson("draft", row.place, PrefetchSetting{}, row.plan);
  json["tokens"] = row.tokens;
  json["draft"] = DraftText(row.draft);
  AddSpread(json, "tokens_per_s", row.tokens_per_s);
  if (row.over_off) AddSpread(json, "over_off", *row.over_off);
  AddSpread(json, "drafted", row.drafted);
  AddSpread(json, "accepted", row.accepted);
  json["repeats"] = row.repeats;
  return json;
}

Result<int> RunDraftBench(DraftArguments& options) {
  DraftBenchOptions& bench = options.bench;
  BITFETCH_ASSIGN_OR_RETURN(bench.text, ReadText(options.text));
  if (bench.places.threads.empty()) bench.places.threads = {ReadTopology().threads};
  return ReportRows(DraftHeader(), options.json, [&](BenchRows& rows) {
    return BenchDraft(bench, [&](const DraftBenchRow& row, int64_t done, int64_t total) -> Status {
      BITFETCH_RETURN_IF_ERROR(rows.Add(TableRow(row), ToJson(row)));
      return rows.Show(done, total, "rows");
    });
  });
}

}  // namespace

void AddBenchDraft(Command& bench) {
  const auto options = std::make_shared<DraftArguments>();
  Command& command =
      bench.Add("draft", {.usage = "-m MODEL (-p TEXT | -f FILE) [options]",
                          .summary = "measure how much guessing ahead gains on a text",
                          .more = fmt::format(R"({}

The last -n tokens of the text are generated again, as if the model had written them, behind the
others, for which the KV cache holds random numbers. All that a greedy answer computes is computed,
guesses that do not stand too, but its tokens are the text's: so that what repeats in the text
decides how many stand, with random weights as well. Each setting generates the text in turn; the
speedup is over the first row with --draft off.

examples:
  bitfetch bench draft -m models/tiny.gguf -f README.md -n 200
  bitfetch bench draft -m models/tiny.gguf -f README.md --draft off,auto,4,16 --json draft.json)",
                                              kRowsHelp)});
  DraftBenchOptions& draft = options->bench;
  AddModelPlaces(command, &draft.places);
  AddTextOptions(command, &options->text);
  command.AddParsed("-n,--tokens", "N",
                    "how many tokens of the text, its last, are generated (default: 256)",
                    &draft.tokens, Integer<int64_t>(1, kMaxTokens));
  command.AddParsed("--draft", "HOW,...",
                    "how many tokens are guessed ahead: auto (as many as pay), off, or so many "
                    "each time (default: off,auto)",
                    &draft.draft,
                    [](std::string_view text) { return ParseList<int>(text, ParseDraft); });
  AddRepeatsAndJson(command, &draft.repeats, &options->json);
  command.SetRun([options] { return RunDraftBench(*options); });
}

}  // namespace bitfetch
