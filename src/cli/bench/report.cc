// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "base/file.h"
#include "base/temporary_file.h"
#include "bench/report_html.h"
#include "cli/bench/commands.h"
#include "cli/bench/report_progress.h"
#include "cli/bench/runs.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "convert/synth.h"
#include "kernels/kernels.h"
#include "machine/probe.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

struct ReportArguments {
  std::string out;
  std::string model;
  bool quick = false;
};

struct Part {
  std::string name;  // "measuring misses"
  double seconds;    // about, on two cores where nothing else runs
  std::function<Status(BenchRows&)> run;
};

BenchJson MachineRow(const MachineProfile& profile, const Kernels& kernels, int threads,
                     const std::string& model) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc = {};
  gmtime_r(&now, &utc);
  return {{"bench", "machine"},
          {"cpu", profile.cpu},
          {"isa", IsaName(kernels.isa)},
          {"threads", threads},
          {"l1d_bytes", profile.l1d_bytes},
          {"l2_bytes", profile.l2_bytes},
          {"l3_bytes", profile.l3_bytes},
          {"read_gb_per_s", ReadBytesPerSecond(profile, threads) * 1e-9},
          {"latency_ns", profile.latency_ns},
          {"loaded_latency_ns", profile.loaded_latency_ns},
          {"misses_in_flight", profile.misses_in_flight},
          {"huge_pages", profile.huge_pages ? "given" : "not given"},
          {"model", model.empty() ? "random weights, the shape of BitNet b1.58 2B4T" : model},
          {"bitfetch", BITFETCH_VERSION},
          {"measured",
           fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday)}};
}

AttentionBenchOptions AttentionOptions(bool quick) {
  AttentionBenchOptions options;
  options.places.n_kv =
      quick ? std::vector<int64_t>{8192} : std::vector<int64_t>{2048, 8192, 32768};
  options.places.kv_types.clear();
  for (const KvType type : {KvType::kF16, KvType::kQ8_0, KvType::kQ4_0}) {
    options.places.kv_types.push_back({type, type});
  }
  options.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  options.places.pages = {PageSize::kHuge, PageSize::k4K};
  options.repeats = quick ? 15 : 25;
  return options;
}

MissesBenchOptions MissesOptions(bool quick) {
  MissesBenchOptions options;
  options.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  options.repeats = quick ? 60 : 120;
  return options;
}

DistanceBenchOptions DistanceOptions(bool quick) {
  DistanceBenchOptions options;
  options.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  options.sweep.repeats = quick ? 9 : 15;
  return options;
}

ModelBenchOptions DecodeOptions(bool quick, bool is_given, const std::string& model) {
  ModelBenchOptions options;
  options.places.model = model;
  options.places.n_kv = {0, 512, 2048, 8192};
  if (!quick) options.places.n_kv.push_back(32768);
  if (!quick && is_given) options.places.n_kv.push_back(65536);
  options.prefetch = {PrefetchSetting{PrefetchSetting::Mode::kOff}, PrefetchSetting{}};
  options.tokens = {16};
  options.repeats = quick ? 7 : 11;
  return options;
}

BatchBenchOptions BatchOptions(bool quick, const std::string& model) {
  BatchBenchOptions options;
  options.places.model = model;
  options.places.n_kv = {128, quick ? 1024 : 2048};
  options.repeats = quick ? 3 : 9;
  return options;
}

CacheBenchOptions CacheOptions(bool quick, const std::string& model, const std::string& out) {
  CacheBenchOptions options;
  options.model = model;
  options.cache_dir = out;  // which has room for a model
  if (quick) options.n_kv = {128, 512};
  options.repeats = quick ? 3 : 5;
  return options;
}

// What the parts, in turn, measure.
Result<BenchJson> RunParts(const std::vector<Part>& parts) {
  double total = 0;
  for (const Part& part : parts) total += part.seconds;
  ReportProgress progress(total);
  BenchJson rows = BenchJson::array();
  double before = 0;
  for (const Part& part : parts) {
    progress.Begin(part.name);
    BenchRows own([&](int64_t done, int64_t of) -> Status {
      const double share = static_cast<double>(done) / static_cast<double>(of);
      progress.OnShare((before + part.seconds * share) / total);
      return {};
    });
    BITFETCH_RETURN_IF_ERROR(part.run(own));
    rows.insert(rows.end(), own.rows().begin(), own.rows().end());
    before += part.seconds;
  }
  return rows;
}

Status WriteRandomModel(const std::string& path, BenchRows& rows) {
  BITFETCH_ASSIGN_OR_RETURN(const SynthShape shape, SynthShapeNamed("bitnet-2b4t"));
  return WriteSynthModel(
      path, shape, [&](int64_t done, int64_t total) { (void)rows.Show(done, total, "bytes"); });
}

// Makes the folder, and those above it that are missing. What is given back takes away those that
// were made and stay empty.
using NewFolders = std::vector<std::unique_ptr<TemporaryFile>>;
Result<NewFolders> MakeFolders(const std::string& path) {
  std::error_code error;
  std::vector<std::string> missing;
  const auto is_missing = [&](const std::filesystem::path& folder) {
    return !std::filesystem::exists(std::filesystem::symlink_status(folder, error));
  };
  for (std::filesystem::path folder = path; !folder.empty() && is_missing(folder);
       folder = folder.parent_path()) {
    missing.push_back(folder);
  }
  NewFolders folders;  // the innermost is entered last, and stands and goes first
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
    folders.insert(folders.begin(), std::make_unique<TemporaryFile>(*folder));
  }
  std::filesystem::create_directories(path, error);
  if (error) return Fail("{}: {}", path, error.message());
  return folders;
}

Result<int> RunReport(const ReportArguments& options) {
  std::error_code error;
  BITFETCH_ASSIGN_OR_RETURN(const NewFolders folders, MakeFolders(options.out));
  const std::string json_path = options.out + "/report.json";
  const std::string html_path = options.out + "/report.html";
  BITFETCH_RETURN_IF_ERROR(FileWriter::Create(html_path));  // to know at once, not in minutes
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());

  std::string model = options.model;
  std::optional<TemporaryFile> scratch;
  if (model.empty()) {
    model = options.out + "/report-model.gguf";
    if (std::filesystem::exists(model, error)) {
      return Fail(
          "{} is in the way: a report that was killed leaves it, a model with random weights. "
          "Remove it, or measure it with -m",
          model);
    }
    scratch.emplace(model);
  }
  const Topology topology = ReadTopology();
  const bool quick = options.quick;
  std::vector<Part> parts;
  if (scratch) {
    parts.push_back({"writing a model with random weights", 8.0,
                     [&](BenchRows& rows) { return WriteRandomModel(model, rows); }});
  }
  // A model that cannot be read shows in the first one.
  parts.push_back({"measuring whole tokens", quick ? 20.0 : 90.0, [&](BenchRows& rows) {
                     return RunModelBench(DecodeOptions(quick, !scratch, model), /*profile=*/true,
                                          rows);
                   }});
  parts.push_back({"measuring many sequences", quick ? 9.0 : 25.0, [&](BenchRows& rows) {
                     return RunBatchBench(BatchOptions(quick, model), rows);
                   }});
  parts.push_back({"measuring known prefixes", quick ? 12.0 : 120.0, [&](BenchRows& rows) {
                     return RunCacheBench(CacheOptions(quick, model, options.out), rows);
                   }});
  parts.push_back({"measuring attention", quick ? 22.0 : 150.0, [&](BenchRows& rows) {
                     const AttentionBenchOptions bench = AttentionOptions(quick);
                     const MachineProfile profile =
                         ProfileForBench(*kernels, bench.places.kv_types);
                     rows.AddJson(MachineRow(profile, *kernels, topology.threads, options.model));
                     return RunAttentionBench(bench, rows);
                   }});
  parts.push_back({"measuring misses", quick ? 14.0 : 30.0,
                   [&](BenchRows& rows) { return RunMissesBench(MissesOptions(quick), rows); }});
  parts.push_back({"measuring distances", quick ? 11.0 : 22.0, [&](BenchRows& rows) {
                     return RunDistanceBench(DistanceOptions(quick), rows);
                   }});
  BITFETCH_ASSIGN_OR_RETURN(const BenchJson rows, RunParts(parts));
  BITFETCH_RETURN_IF_ERROR(WriteFile(json_path, rows.dump(2) + "\n"));
  BITFETCH_RETURN_IF_ERROR(WriteFile(html_path, ReportHtml(rows)));
  return Printed(html_path + "\n");
}

}  // namespace

void AddBenchReport(Command& bench) {
  const auto options = std::make_shared<ReportArguments>();
  Command& command = bench.Add(
      "report",
      {.usage = "--out DIR [--quick] [-m MODEL]",
       .summary = "measure all of this, and write report.html with pictures, and report.json",
       .more =
           R"(report.html opens in a browser without a network. It shows this machine; attention's share of peak
read bandwidth; what its first loads wait for; --prefetch auto beside fixed distances; tokens/s
with up to 32768 tokens in the cache, and with 65536 where -m is given; where the time of a token
goes; what a step of many sequences costs; and how soon the first token comes behind a prefix that
was met before. Without -m, a model with random weights in the shape of BitNet b1.58 2B4T is written
for it (1.2 GB beside the report, and less for KV) and removed in the end.

examples:
  bitfetch bench report --out report --quick
  bitfetch bench report --out report -m models/tiny.gguf)"});
  command.AddPath("-o,--out", "DIR", "the folder that the report goes to", &options->out)
      .Required();
  command.AddFlag("--quick",
                  "take one to five minutes where nothing else runs, with fewer context lengths "
                  "and repeats",
                  &options->quick);
  command.AddPath("-m,--model", "MODEL", "the model: a GGUF file (default: random weights)",
                  &options->model);
  command.SetRun([options] { return RunReport(*options); });
}

}  // namespace bitfetch
