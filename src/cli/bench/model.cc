// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/bench/commands.h"
#include "cli/bench/runs.h"
#include "cli/model_options.h"
#include "cli/stage_text.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

struct ModelArguments {
  ModelBenchOptions bench;
  bool profile = false;
  std::string json;
};

std::string_view BenchName(ModelBench bench) {
  return bench == ModelBench::kDecode ? "decode" : "prefill";
}

std::string_view AheadName(bool ahead) { return ahead ? "auto" : "off"; }

std::string TableRow(const ModelBenchRow& row) {
  return fmt::format(
      "{:>7}  {:<5}  {:<10}  {:<9}  {:>9}  {:>6}  {:<8}  {:<5}  {:<24}  {:<20}  {:>11.1f}  {}",
      row.place.threads, PageSizeName(row.place.pages), BlockPlacementName(row.place.placement),
      KvTypesName(row.place.kv_types), row.place.n_kv, row.tokens,
      PrefetchSettingText(row.prefetch), AheadName(row.ahead), SpreadText(row.tokens_per_s),
      SpreadText(row.over_first), static_cast<double>(row.bytes_per_token) * 1e-6,
      SpreadText(row.fraction));
}

BenchJson Place(ModelBench bench, const ModelBenchRow& row) {
  BenchJson json = PlaceJson(BenchName(bench), row.place, row.prefetch, row.plan);
  json["prefetch_ahead"] = AheadName(row.ahead);
  json["tokens"] = row.tokens;
  return json;
}

BenchJson ToJson(ModelBench bench, const ModelBenchRow& row) {
  BenchJson json = Place(bench, row);
  AddSpread(json, "tokens_per_s", row.tokens_per_s);
  AddSpread(json, "over_first", row.over_first);
  json["bytes_per_token"] = row.bytes_per_token;
  AddSpread(json, "gb_per_s", row.gb_per_s);
  AddSpread(json, "read_gb_per_s", row.read_gb_per_s);
  AddSpread(json, "fraction", row.fraction);
  json["repeats"] = row.repeats;
  return json;
}

BenchJson ToJson(ModelBench bench, const ModelBenchRow& row, const StageShare& share) {
  BenchJson json = Place(bench, row);
  json["stage"] = share.stage;
  json["us_per_token"] = share.us_per_token;
  json["share"] = share.share;
  json["bytes_per_token"] = share.bytes_per_token;
  json["gb_per_s"] = share.gb_per_s;
  json["read_gb_per_s"] = row.read_gb_per_s.median;
  json["fraction"] = share.fraction;
  json["repeats"] = row.repeats;
  return json;
}

std::string ModelHeader() {
  return fmt::format(
      "threads  pages  layout      kv         KV tokens  tokens  prefetch  ahead  {:<24}  {:<20}  "
      "MB a "
      "token  {}",
      "tokens/s", kOverFirstTitle, kFractionTitle);
}

void AddBench(Command& bench, ModelBench which, const Command::Help& help, int64_t tokens,
              const std::string& tokens_help) {
  const auto options = std::make_shared<ModelArguments>();
  options->bench.bench = which;
  options->bench.tokens = {tokens};
  Command& command = bench.Add(std::string(BenchName(which)), help);
  AddModelPlaces(command, &options->bench.places);
  AddTokensInCache(command, &options->bench.places.n_kv);
  AddCounts(command, "-n,--tokens", tokens_help, &options->bench.tokens, 1, kMaxTokens);
  AddPrefetch(command, "auto", &options->bench.prefetch);
  command.AddParsed("--prefetch-ahead", "HOW,...",
                    "whether prefetching begins while the layer's queries, keys and values are "
                    "computed: auto or off (default: auto)",
                    &options->bench.ahead, [](std::string_view text) {
                      return ParseList<bool>(text, ParsePrefetchAhead);
                    });
  command.AddFlag("--profile", "show for each stage of a token how long it took",
                  &options->profile);
  AddRepeatsAndJson(command, &options->bench.repeats, &options->json);
  command.SetRun([options] {
    return ReportRows(ModelHeader(), options->json, [&](BenchRows& rows) {
      return RunModelBench(options->bench, options->profile, rows);
    });
  });
}

}  // namespace

Status RunModelBench(const ModelBenchOptions& options, bool profile, BenchRows& rows) {
  ModelBenchOptions bench = options;
  if (bench.places.threads.empty()) bench.places.threads = {ReadTopology().threads};
  const auto on_row = [&](const ModelBenchRow& row, int64_t done, int64_t total) -> Status {
    const int64_t tokens = row.tokens * row.repeats;
    std::string text = TableRow(row);
    if (profile) {
      text += '\n' + StageTable(row.profile, tokens, row.read_gb_per_s.median);
      text.pop_back();
    }
    BITFETCH_RETURN_IF_ERROR(rows.Add(text, ToJson(bench.bench, row)));
    if (profile) {
      for (const StageShare& share : StageShares(row.profile, tokens, row.read_gb_per_s.median)) {
        rows.AddJson(ToJson(bench.bench, row, share));
      }
    }
    return rows.Show(done, total, "rows");
  };
  return BenchModel(bench, on_row);
}

void AddBenchDecode(Command& bench) {
  AddBench(bench, ModelBench::kDecode,
           {.usage = "-m MODEL [options]",
            .summary = "measure how fast a model generates, one token after the other",
            .more = fmt::format(R"({}

The KV cache is filled to --n-kv with random numbers, so that long contexts take seconds. Peak read
bandwidth is what the fastest plain read reaches on the same threads and pages, measured after each
token; its share counts all that a token reads: weights, output head and KV cache. Rows that differ
only in --prefetch and --prefetch-ahead (`ahead`) are measured in turn; the speedup is over the
first of them.

examples:
  bitfetch bench decode -m models/tiny.gguf
  bitfetch bench decode -m models/tiny.gguf --n-kv 0,512 -n 16,64 --profile
  bitfetch bench decode -m models/tiny.gguf --n-kv 512 --prefetch off,off,auto --json decode.json)",
                                kRowsHelp)},
           32, "how many tokens are generated");
}

void AddBenchPrefill(Command& bench) {
  AddBench(bench, ModelBench::kPrefill,
           {.usage = "-m MODEL [options]",
            .summary = "measure how fast a model reads a prompt",
            .more = fmt::format(R"({}

The prompt follows --n-kv tokens of random numbers in the KV cache. The logits of its last token are
computed too.

examples:
  bitfetch bench prefill -m models/tiny.gguf
  bitfetch bench prefill -m models/tiny.gguf -n 64,512 --n-kv 0,1024 --profile)",
                                kRowsHelp)},
           512, "how many tokens the prompt has");
}

}  // namespace bitfetch
