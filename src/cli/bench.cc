// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/file.h"
#include "base/thread_pool.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "engine/bench_attention.h"
#include "engine/bench_memory.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

constexpr int64_t kMostTokens = 1 << 20;
constexpr int64_t kMostRepeats = 100'000;

// --- what both have

using Json = nlohmann::ordered_json;

std::string_view PlacementName(BlockPlacement placement) {
  return placement == BlockPlacement::kContiguous ? "contiguous" : "paged";
}

Result<BlockPlacement> ParsePlacement(std::string_view text) {
  for (const auto placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    if (text == PlacementName(placement)) return placement;
  }
  return Fail("'{}' is not known: wanted contiguous or paged", text);
}

template <class T, class Parse>
auto ListOf(Parse parse) {
  return [parse](std::string_view text) { return ParseList<T>(text, parse); };
}

void AddSpread(Json& json, const std::string& name, const Spread& spread) {
  json[name] = spread.median;
  json[name + "_min"] = spread.min;
  json[name + "_max"] = spread.max;
}

// "5.21 (5.10 .. 5.33)".
std::string SpreadText(const Spread& spread) {
  return fmt::format("{:.2f} ({:.2f} .. {:.2f})", spread.median, spread.min, spread.max);
}

// Where the rows of a benchmark go as they come: a table on stdout, or at the end JSON.
class Report {
 public:
  // Says at once, not after minutes of measuring, that the file cannot be created; creates it only
  // in the end, since Ctrl-C may come before. What is no regular file may take one opening only.
  static Result<std::unique_ptr<Report>> Create(std::string_view header,
                                                const std::string& json_path) {
    std::unique_ptr<Report> report(new Report(header));
    if (json_path == "-") {
      report->only_json_ = true;
    } else if (!json_path.empty()) {
      std::error_code none;
      if (!std::filesystem::is_other(json_path, none)) {
        BITFETCH_RETURN_IF_ERROR(FileWriter::Create(json_path));
      }
      report->json_path_ = json_path;
    }
    report->line_.Show("measuring the first row");
    return report;
  }

  void Add(const std::string& table_row, Json json, int64_t done, int64_t total) {
    rows_.push_back(std::move(json));
    line_.Clear();
    if (!only_json_ && printed_) {
      if (rows_.size() == 1) printed_ = Print(header_ + "\n");
      if (printed_) printed_ = Print(table_row + "\n");
    }
    if (done < total) line_.Show(fmt::format("measuring: {} of {} rows are done", done, total));
  }

  Result<int> Finish() {
    line_.Clear();
    BITFETCH_RETURN_IF_ERROR(printed_);
    const std::string text = rows_.dump(2) + "\n";
    if (only_json_) return Printed(text);
    if (!json_path_.empty()) BITFETCH_RETURN_IF_ERROR(WriteFile(json_path_, text));
    return kExitOk;
  }

 private:
  explicit Report(std::string_view header) : header_(header) {}

  std::string header_;
  bool only_json_ = false;
  std::string json_path_;  // of a file
  ProgressLine line_{std::chrono::milliseconds(0)};
  Json rows_ = Json::array();
  Status printed_;
};

void AddJsonAndRepeats(Command& command, std::string* json, int* repeats) {
  command.AddParsed("--repeats", "N", "measurements of each row (default: 15)", repeats,
                    Integer<int>(1, kMostRepeats));
  command.AddText("--json", "FILE", "the rows as JSON; - writes only that to stdout", json);
}

template <class Options>
void AddPlaces(Command& command, Options* options, const std::string& threads_default,
               const std::string& pages_default) {
  command.AddParsed("-t,--threads", "N,...", fmt::format("threads (default: {})", threads_default),
                    &options->threads, ListOf<int>(Integer<int>(1, ThreadPool::kMaxThreads)));
  command.AddParsed("--layout", "NAME,...",
                    "contiguous (default), or paged: blocks in shuffled places",
                    &options->placements, ListOf<BlockPlacement>(ParsePlacement));
  command.AddParsed("--pages", "SIZE,...",
                    fmt::format("OS pages: huge or 4k (default: {})", pages_default),
                    &options->pages, ListOf<PageSize>(ParsePageSize));
}

// --- bench attention

struct AttentionOptions {
  AttentionBenchOptions bench;
  std::string json;
};

// "KV,GROUP,DIM".
Status ParseShape(std::string_view text, AttentionBenchOptions* options) {
  BITFETCH_ASSIGN_OR_RETURN(const auto shape, ParseList<int>(text, Integer<int>(1, 4096)));
  if (shape.size() != 3) {
    return Fail("'{}' is not a shape: wanted KV heads, query heads to each, dimensions", text);
  }
  if (shape[2] % 16 != 0) {
    return Fail("heads of {} dimensions are not possible: wanted a multiple of 16", shape[2]);
  }
  options->kv_heads = shape[0];
  options->group = shape[1];
  options->head_dim = shape[2];
  return {};
}

constexpr std::string_view kAttentionHeader =
    "threads  pages  layout      kv       n_kv  prefetch  distance  streams  GB/s"
    "                      of the streaming read";

std::string TableRow(const AttentionBenchRow& row) {
  return fmt::format("{:>7}  {:<5}  {:<10}  {:<7}  {:>4}  {:<8}  {:>8}  {:>7}  {:<24}  {}",
                     row.threads, PageSizeName(row.pages), PlacementName(row.placement),
                     KvTypesName(row.kv_types), row.n_kv, PrefetchSettingText(row.prefetch),
                     row.distance_bytes, row.streams, SpreadText(row.gb_per_s),
                     SpreadText(row.fraction));
}

Json ToJson(const AttentionBenchRow& row) {
  Json json = {{"bench", "attention"},
               {"threads", row.threads},
               {"n_kv", row.n_kv},
               {"kv_type", KvTypesName(row.kv_types)},
               {"layout", PlacementName(row.placement)},
               {"pages", PageSizeName(row.pages)},
               {"prefetch", PrefetchSettingText(row.prefetch)},
               {"distance_bytes", row.distance_bytes},
               {"streams", row.streams}};
  AddSpread(json, "gb_per_s", row.gb_per_s);
  AddSpread(json, "read_gb_per_s", row.read_gb_per_s);
  AddSpread(json, "fraction", row.fraction);
  json["repeats"] = row.repeats;
  return json;
}

Result<int> RunAttention(const AttentionOptions& options) {
  AttentionBenchOptions bench = options.bench;
  if (bench.threads.empty()) bench.threads = {ReadTopology().threads};
  BITFETCH_ASSIGN_OR_RETURN(const auto report, Report::Create(kAttentionHeader, options.json));
  const auto on_row = [&](const AttentionBenchRow& row, int64_t done, int64_t total) {
    report->Add(TableRow(row), ToJson(row), done, total);
  };
  BITFETCH_RETURN_IF_ERROR(BenchAttention(bench, on_row));
  return report->Finish();
}

void AddAttention(Command& bench) {
  const auto options = std::make_shared<AttentionOptions>();
  Command& command = bench.Add(
      "attention",
      {.usage = "[options]",
       .summary = "decode attention over a cold KV cache, as a share of this machine's streaming "
                  "read",
       .more =
           R"(Lists with commas give a row for each combination. Rows are medians, with the range beside them;
what differs only in --prefetch is measured in turn, each time beside a streaming read.

examples:
  bitfetch bench attention
  bitfetch bench attention --n-kv 2048,8192 --layout contiguous,paged --prefetch off,law,4096
  bitfetch bench attention -t 1,2 --json attention.json)"});
  command.AddParsed("--n-kv", "N,...", "tokens in the cache (default: 8192)", &options->bench.n_kv,
                    ListOf<int64_t>(Integer<int64_t>(1, kMostTokens)));
  AddPlaces(command, &options->bench, "what affinity and cgroup allow", "huge");
  command.AddParsed("--kv-type", "TYPE,...",
                    "f32, f16 (default), bf16, q8_0, q4_0, or K:V as q8_0:q4_0",
                    &options->bench.kv_types, ListOf<KvTypes>(ParseKvTypes));
  command.AddParsed("--prefetch", "HOW,...", "law, off or so many bytes ahead (default: off,law)",
                    &options->bench.prefetch, ListOf<PrefetchSetting>(ParsePrefetchSetting));
  command.AddOption(
      "--shape", "KV,GROUP,DIM",
      "KV heads, query heads to each, dimensions of a head (default: 5,4,128)",
      [bench = &options->bench](const std::string& text) { return ParseShape(text, bench); });
  AddJsonAndRepeats(command, &options->json, &options->bench.repeats);
  command.SetRun([options] { return RunAttention(*options); });
}

// --- bench memory

struct MemoryOptions {
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
                     PageSizeName(row.pages), PlacementName(row.placement), PrefetchText(row),
                     row.streams, SpreadText(row.gb_per_s), SpreadText(row.fraction));
}

Json ToJson(const MemoryBenchRow& row) {
  Json json = {{"bench", "memory"},
               {"threads", row.threads},
               {"layout", PlacementName(row.placement)},
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

Result<int> RunMemory(const MemoryOptions& options) {
  MemoryBenchOptions bench = options.bench;
  if (bench.threads.empty()) {
    const int most = ReadTopology().threads;
    for (int threads = 1; threads < most; threads *= 2) bench.threads.push_back(threads);
    bench.threads.push_back(most);
  }
  BITFETCH_ASSIGN_OR_RETURN(const auto report, Report::Create(kMemoryHeader, options.json));
  const auto on_row = [&](const MemoryBenchRow& row, int64_t done, int64_t total) {
    report->Add(TableRow(row), ToJson(row), done, total);
  };
  BITFETCH_RETURN_IF_ERROR(BenchMemory(bench, on_row));
  return report->Finish();
}

void AddMemory(Command& bench) {
  const auto options = std::make_shared<MemoryOptions>();
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
  AddPlaces(command, &options->bench, "1, 2, 4, ... up to what affinity and cgroup allow",
            "huge,4k");
  AddJsonAndRepeats(command, &options->json, &options->bench.repeats);
  command.SetRun([options] { return RunMemory(*options); });
}

}  // namespace

void AddBench(Command& program) {
  Command& bench = program.Add("bench", {.usage = "attention | memory [options]",
                                         .summary = "measure: attention, memory",
                                         .more = R"(examples:
  bitfetch bench attention
  bitfetch bench memory --json memory.json)"});
  AddAttention(bench);
  AddMemory(bench);
}

}  // namespace bitfetch
