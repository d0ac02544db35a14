// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/rows.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/thread_pool.h"
#include "cli/model_options.h"
#include "cli/output.h"

namespace bitfetch {
namespace {

constexpr int64_t kMaxRepeats = 100'000;

template <class T, class Parse>
auto ListOf(Parse parse) {
  return [parse](std::string_view text) { return ParseList<T>(text, parse); };
}

// "KV,GROUP,DIM".
Status ParseShape(std::string_view text, AttentionShape* to) {
  BITFETCH_ASSIGN_OR_RETURN(const auto shape, ParseList<int>(text, Integer<int>(1, 4096)));
  if (shape.size() != 3) {
    return Fail("'{}' is not a shape: wanted KV heads, query heads to each, dimensions", text);
  }
  if (shape[2] % 16 != 0) {
    return Fail("heads of {} dimensions are not possible: wanted a multiple of 16", shape[2]);
  }
  to->kv_heads = shape[0];
  to->group = shape[1];
  to->head_dim = shape[2];
  return {};
}

}  // namespace

void AddSpread(BenchJson& json, const std::string& name, const Spread& spread) {
  json[name] = spread.median;
  json[name + "_min"] = spread.min;
  json[name + "_max"] = spread.max;
}

std::string SpreadText(const Spread& spread) {
  return fmt::format("{:.2f} ({:.2f} .. {:.2f})", spread.median, spread.min, spread.max);
}

std::string_view HintName(const PrefetchPlan& plan) {
  return plan.on ? PrefetchHintName(plan.hint) : "none";
}

std::string PlaceText(const AttentionPlace& place, const PrefetchSetting& prefetch,
                      const PrefetchPlan& plan) {
  return fmt::format("{:>7}  {:<5}  {:<10}  {:<9}  {:>9}  {:<8}  {:>11}  {:>7}  {:<4}",
                     place.threads, PageSizeName(place.pages), BlockPlacementName(place.placement),
                     KvTypesName(place.kv_types), place.n_kv, PrefetchSettingText(prefetch),
                     plan.distance_bytes, plan.streams, HintName(plan));
}

BenchJson PlaceJson(std::string_view bench, const AttentionPlace& place,
                    const PrefetchSetting& prefetch, const PrefetchPlan& plan) {
  return {{"bench", bench},
          {"threads", place.threads},
          {"n_kv", place.n_kv},
          {"kv_type", KvTypesName(place.kv_types)},
          {"layout", BlockPlacementName(place.placement)},
          {"pages", PageSizeName(place.pages)},
          {"prefetch", PrefetchSettingText(prefetch)},
          {"distance_bytes", plan.distance_bytes},
          {"streams", plan.streams},
          {"hint", HintName(plan)}};
}

Result<std::unique_ptr<BenchRows>> BenchRows::Create(std::string_view header,
                                                     const std::string& json_path) {
  std::unique_ptr<BenchRows> rows(new BenchRows(header));
  if (json_path == "-") {
    rows->only_json_ = true;
  } else if (!json_path.empty()) {
    std::error_code none;
    if (!std::filesystem::is_other(json_path, none)) {
      BITFETCH_RETURN_IF_ERROR(FileWriter::Create(json_path));
    }
    rows->json_path_ = json_path;
  }
  rows->line_.Show("measuring the first row");
  return rows;
}

Status BenchRows::Add(const std::string& table_row, BenchJson json) {
  const bool first = rows_.empty();
  AddJson(std::move(json));
  if (only_json_ || on_show_) return {};
  line_.Clear();
  if (first) BITFETCH_RETURN_IF_ERROR(Print(header_ + "\n"));
  return Print(table_row + "\n");
}

Status BenchRows::Show(int64_t done, int64_t total, std::string_view of_what) {
  if (on_show_) return on_show_(done, total);
  if (done < total) {
    line_.Show(fmt::format("measuring: {} of {} {} are done", done, total, of_what));
  }
  return {};
}

Result<int> BenchRows::Finish() {
  line_.Clear();
  const std::string text = rows_.dump(2) + "\n";
  if (only_json_) return Printed(text);
  if (!json_path_.empty()) BITFETCH_RETURN_IF_ERROR(WriteFile(json_path_, text));
  return kExitOk;
}

Result<int> ReportRows(std::string_view header, const std::string& json_path,
                       const std::function<Status(BenchRows&)>& measure) {
  BITFETCH_ASSIGN_OR_RETURN(const auto rows, BenchRows::Create(header, json_path));
  BITFETCH_RETURN_IF_ERROR(measure(*rows));
  return rows->Finish();
}

void AddRepeatsAndJson(Command& command, int* repeats, std::string* json) {
  command.AddParsed("--repeats", "N",
                    fmt::format("how often each row is measured (default: {})", *repeats), repeats,
                    Integer<int>(1, kMaxRepeats));
  AddJson(command, json);
}

void AddJson(Command& command, std::string* json) {
  command.AddPath(
      "--json", "FILE",
      "also write the rows to this file as JSON; with - write nothing but that to stdout", json);
}

void AddCounts(Command& command, const std::string& names, const std::string& help,
               std::vector<int64_t>* counts, int64_t min, int64_t max) {
  command.AddParsed(names, "N,...", fmt::format("{} (default: {})", help, fmt::join(*counts, ",")),
                    counts, ListOf<int64_t>(Integer<int64_t>(min, max)));
}

void AddTokensInCache(Command& command, std::vector<int64_t>* n_kv) {
  AddCounts(command, "--n-kv", "how many tokens the KV cache holds already", n_kv,
            n_kv->front() == 0 ? 0 : 1, kMaxTokens);
}

void AddKvTypes(Command& command, std::vector<KvTypes>* types) {
  command.AddParsed("--kv-type", "TYPE,...",
                    "how the KV cache stores keys and values: f32, f16 (default), bf16, q8_0 or "
                    "q4_0; or one type for each, as in q8_0:q4_0",
                    types, ListOf<KvTypes>(ParseKvTypes));
}

void AddWeights(Command& command, std::vector<WeightsKind>* kinds) {
  command.AddParsed("--weights", "KIND,...",
                    "measure the products of a token with weights in place of attention: fours, "
                    "fives (four or five ternary codes in a byte), groups (ternary by group), "
                    "screen (the output head's copy)",
                    kinds, ListOf<WeightsKind>(ParseWeightsKind));
}

void AddPrefetch(Command& command, const std::string& default_text,
                 std::vector<PrefetchSetting>* prefetch) {
  command.AddParsed("--prefetch", "HOW,...",
                    fmt::format("how far ahead attention prefetches the KV cache: auto (what suits "
                                "this machine), off, or so many bytes (default: {})",
                                default_text),
                    prefetch, ListOf<PrefetchSetting>(ParsePrefetchSetting));
}

void AddPlaces(Command& command, std::vector<int>* threads, const std::string& threads_default,
               std::vector<BlockPlacement>* placements, const std::string& placements_default,
               std::vector<PageSize>* pages, const std::string& pages_default) {
  command.AddParsed("-t,--threads", "N,...",
                    fmt::format("how many threads work (default: {})", threads_default), threads,
                    ListOf<int>(Integer<int>(1, ThreadPool::kMaxThreads)));
  command.AddParsed("--layout", "NAME,...",
                    fmt::format("how the blocks of 16 tokens lie in memory: contiguous, or paged, "
                                "in shuffled places (default: {})",
                                placements_default),
                    placements, ListOf<BlockPlacement>(ParseBlockPlacement));
  command.AddParsed("--pages", "SIZE,...",
                    fmt::format("size of the OS pages below: huge (2 MiB where the system gives "
                                "them) or 4k (default: {})",
                                pages_default),
                    pages, ListOf<PageSize>(ParsePageSize));
}

void AddAttentionPlaces(Command& command, AttentionPlaces* places,
                        const std::string& placements_default) {
  AddTokensInCache(command, &places->n_kv);
  AddPlaces(command, &places->threads, kAllThreads, &places->placements, placements_default,
            &places->pages, "huge");
  AddKvTypes(command, &places->kv_types);
  command.AddOption(
      "--shape", "KV,GROUP,DIM",
      "the model's shape: how many KV heads, how many query heads share each of them, and how many "
      "dimensions a head has (default: 5,4,128, as BitNet b1.58 2B4T)",
      [shape = &places->shape](const std::string& text) { return ParseShape(text, shape); });
}

void AddModelPlaces(Command& command, ModelPlaces* places) {
  AddModelPath(command, &places->model);
  AddPlaces(command, &places->threads, kAllThreads, &places->placements, "contiguous",
            &places->pages, "huge");
  AddKvTypes(command, &places->kv_types);
  command.AddFlag("--no-mmap",
                  "read the whole file into memory first, instead of mapping it and reading what "
                  "is needed",
                  &places->no_mmap);
}

}  // namespace bitfetch
