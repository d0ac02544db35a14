// SPDX-License-Identifier: Apache-2.0
// What the benchmarks have in common: options, and how their rows come out.
#ifndef BITFETCH_CLI_BENCH_ROWS_H_
#define BITFETCH_CLI_BENCH_ROWS_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/bench_json.h"
#include "bench/model_places.h"
#include "bench/spread.h"
#include "cli/command.h"
#include "cli/progress_line.h"
#include "kernels/weights_access.h"
#include "prefetch/setting.h"

namespace bitfetch {

inline constexpr int64_t kMaxTokens = 1 << 20;  // of a cache or a prompt

// NAME, NAME_min and NAME_max.
void AddSpread(BenchJson& json, const std::string& name, const Spread& spread);
std::string SpreadText(const Spread& spread);  // "5.21 (5.10 .. 5.33)"

// What all rows of attention begin with, in the table and as JSON, and what both say of a plan.
inline constexpr std::string_view kPlaceHeader =
    "threads  pages  layout      kv         KV tokens  prefetch  bytes ahead  streams  hint";
std::string PlaceText(const AttentionPlace& place, const PrefetchSetting& prefetch,
                      const PrefetchPlan& plan);
BenchJson PlaceJson(std::string_view bench, const AttentionPlace& place,
                    const PrefetchSetting& prefetch, const PrefetchPlan& plan);
std::string_view HintName(const PrefetchPlan& plan);  // "l1", "l2", or "none" when off

// What every help says of its rows.
inline constexpr std::string_view kRowsHelp =
    R"(Options whose value ends in ",..." take one value or a list with commas; each combination gives a
row. A figure is the median of its repeats, with the range behind it.)";

// The same of rows of attention.
inline constexpr std::string_view kAttentionRowsHelp =
    R"(Options whose value ends in ",..." take one value or a list with commas; each combination gives a
row. It says how many tokens the KV cache holds, how many bytes ahead of its loads attention
prefetches it, along how many streams (blocks of 16 tokens that it walks side by side), and into
which cache (the hint: l1 or l2). A figure is the median of its repeats, with the range behind it.)";

// Where the rows of a benchmark go as they come: a table on stdout, or at the end JSON.
class BenchRows {
 public:
  // Only keeps them; `on_show` hears how far the measuring is, and may end it with an error.
  using OnShow = std::function<Status(int64_t done, int64_t total)>;
  explicit BenchRows(OnShow on_show) : on_show_(std::move(on_show)) {}

  // Says at once, not after minutes of measuring, that the file cannot be created; creates it only
  // in the end, since Ctrl-C may come before. What is no regular file may take one opening only.
  static Result<std::unique_ptr<BenchRows>> Create(std::string_view header,
                                                   const std::string& json_path);

  // Errors: stdout takes no more; then measuring on is of no use.
  Status Add(const std::string& table_row, BenchJson json);
  void AddJson(BenchJson json) { rows_.push_back(std::move(json)); }  // and nothing in the table
  // How far the measuring is, on stderr. Errors: those of OnShow.
  Status Show(int64_t done, int64_t total, std::string_view of_what);
  Result<int> Finish();
  const BenchJson& rows() const { return rows_; }

 private:
  explicit BenchRows(std::string_view header) : header_(header) {}

  OnShow on_show_;
  std::string header_;
  bool only_json_ = false;
  std::string json_path_;  // of a file
  ProgressLine line_{std::chrono::milliseconds(0)};
  BenchJson rows_ = BenchJson::array();
};

// A whole benchmark: what `measure` adds, under `header` or as JSON.
Result<int> ReportRows(std::string_view header, const std::string& json_path,
                       const std::function<Status(BenchRows&)>& measure);

// --repeats and --json.
void AddRepeatsAndJson(Command& command, int* repeats, std::string* json);
void AddJson(Command& command, std::string* json);

// A list each. Defaults that depend on the command come as text; that of counts is what they hold.
void AddCounts(Command& command, const std::string& names, const std::string& help,
               std::vector<int64_t>* counts, int64_t min, int64_t max);
void AddTokensInCache(Command& command, std::vector<int64_t>* n_kv);  // --n-kv
void AddKvTypes(Command& command, std::vector<KvTypes>* types);
void AddWeights(Command& command, std::vector<WeightsKind>* kinds);  // --weights
void AddPrefetch(Command& command, const std::string& default_text,
                 std::vector<PrefetchSetting>* prefetch);

inline constexpr const char* kAllThreads = "as many as CPU affinity and cgroup allow this process";

// -t, --layout and --pages.
void AddPlaces(Command& command, std::vector<int>* threads, const std::string& threads_default,
               std::vector<BlockPlacement>* placements, const std::string& placements_default,
               std::vector<PageSize>* pages, const std::string& pages_default);

// Those, --n-kv, --kv-type and --shape.
void AddAttentionPlaces(Command& command, AttentionPlaces* places,
                        const std::string& placements_default);

// -m, --no-mmap, those of AddPlaces and --kv-type.
void AddModelPlaces(Command& command, ModelPlaces* places);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_BENCH_ROWS_H_
