// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_text.h"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace bitfetch {
namespace {

std::string Threads(int threads) {
  return fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
}

// Rows of figures, a column for each number of streams.
class Table {
 public:
  void Add(const std::string& row, int streams, double figure) {
    if (rows_.empty() || rows_.back().first != row) rows_.emplace_back(row, Figures());
    rows_.back().second[streams] = figure;
    streams_.insert(streams);
  }

  // `decimals` of each figure; the head says what the columns are.
  std::string Text(std::string_view head, int decimals) const {
    std::string text = fmt::format("{:<42}", head);
    for (const int streams : streams_) {
      text += streams == 0 ? fmt::format("{:>7}", "plain") : fmt::format("{:>7}", streams);
    }
    text += "\n";
    for (const auto& [name, figures] : rows_) {
      text += fmt::format("  {:<40}", name);
      for (const int streams : streams_) {
        const auto figure = figures.find(streams);
        text += figure == figures.end() ? fmt::format("{:>7}", "-")
                                        : fmt::format("{:>7.{}f}", figure->second, decimals);
      }
      text += "\n";
    }
    return text;
  }

 private:
  using Figures = std::map<int, double>;

  std::vector<std::pair<std::string, Figures>> rows_;
  std::set<int> streams_;
};

std::string ReadsText(const MachineProfile& profile) {
  Table table;
  for (const ReadSpeed& read : profile.reads) {
    table.Add(fmt::format("{}, {} bytes a load", Threads(read.threads), read.width_bytes),
              read.streams, read.bytes_per_s * 1e-9);
  }
  return table.Text("peak read bandwidth, GB/s, by streams", 1);
}

std::string GainsText(const KernelSpeed& kernel) {
  Table table;
  for (const bool paged : {false, true}) {
    for (const PrefetchGain& gain : kernel.gains) {
      table.Add(fmt::format("{}, {}, {}, into {}", paged ? "paged" : "contiguous",
                            PageSizeName(gain.pages), Threads(gain.threads),
                            gain.hint == PrefetchHint::kL1 ? "L1" : "L2"),
                gain.streams, paged ? gain.paged : gain.contiguous);
    }
  }
  return table.Text("  speedup of prefetching, by streams", 2);
}

}  // namespace

std::string ProfileText(const MachineProfile& profile) {
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value) {
    text += fmt::format("{:<26}{}\n", name, value);
  };
  const std::string_view source = profile.source == ProfileSource::kDefault ? "assumed"
                                  : profile.source == ProfileSource::kQuick ? "measured in passing"
                                                                            : "measured by tune";
  line("memory", fmt::format("{} ({})", ProfileSourceName(profile.source), source));
  if (profile.measured()) {
    line("  huge pages", profile.huge_pages ? "the system gave the huge pages that were asked for"
                                            : "asked for, but the system gave 4 KiB pages");
  }
  line("  latency", fmt::format("{:.0f} ns on huge pages, {:.0f} ns on 4 KiB pages",
                                profile.latency_ns, profile.latency_4k_ns));
  line("  under load",
       fmt::format("{:.0f} ns on huge pages, {:.0f} ns on 4 KiB pages; nine loads in ten take at "
                   "most {:.0f} ns more",
                   profile.loaded_latency_ns, profile.loaded_latency_4k_ns, profile.jitter_ns));
  line("  misses in flight",
       fmt::format("{:.1f} at a time for each core", profile.misses_in_flight));
  text += ReadsText(profile);
  for (const KernelSpeed& kernel : profile.kernels) {
    line("attention", fmt::format("{}{}{:.1f} GB/s for each thread on data in L2", kernel.name,
                                  kernel.name.empty() ? "" : ": ", kernel.hot_bytes_per_s * 1e-9));
    text += GainsText(kernel);
  }
  return text;
}

}  // namespace bitfetch
