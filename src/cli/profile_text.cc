// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/attention.h"
#include "machine/race.h"
#include "prefetch/streams.h"

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

// Whether its data lies in blocks, perhaps in shuffled places.
std::vector<bool> Layouts(const KernelSpeed& kernel) {
  return kernel.data == KernelData::kKv ? std::vector{false, true} : std::vector{false};
}

std::string GainsText(const KernelSpeed& kernel) {
  Table table;
  for (const bool paged : Layouts(kernel)) {
    for (const PrefetchGain& gain : kernel.gains) {
      table.Add(fmt::format("{}{}, {}, into {}",
                            kernel.data == KernelData::kWeights ? ""
                            : paged                             ? "paged, "
                                                                : "contiguous, ",
                            PageSizeName(gain.pages), Threads(gain.threads),
                            gain.hint == PrefetchHint::kL1 ? "L1" : "L2"),
                gain.streams, (paged ? gain.paged : gain.contiguous).times);
    }
  }
  return table.Text("  speedup of prefetching, by streams", 2);
}

// What the law chooses wherever something was measured, and not assumed.
std::vector<Streams> Choices(const MachineProfile& profile) {
  std::vector<Streams> choices;
  for (const KernelSpeed& kernel : profile.kernels) {
    if (kernel.name.empty()) continue;
    std::set<std::pair<PageSize, int>> places;
    for (const PrefetchGain& gain : kernel.gains) places.insert({gain.pages, gain.threads});
    for (const auto& [pages, threads] : places) {
      for (const bool paged : Layouts(kernel)) {
        choices.push_back(ChooseStreams(
            kernel,
            {.paged = paged, .pages = pages, .threads = threads, .max_streams = kMaxStreams}));
      }
    }
  }
  return choices;
}

std::string HowSure(const std::vector<Streams>& choices) {
  constexpr double kUnknown = 10;  // a ratio: what may be so far off was hardly measured
  int sure = 0;
  double doubt = 1;
  std::vector<double> spreads;
  for (const auto& [hint, streams, gain, doubt_of_it] : choices) {
    sure += doubt_of_it <= Race::kEqual ? 1 : 0;
    doubt = std::max(doubt, doubt_of_it);
    spreads.push_back(std::max(gain.max / gain.times, gain.times / gain.min));
  }
  const auto median = spreads.begin() + static_cast<int64_t>(spreads.size() / 2);
  std::ranges::nth_element(spreads, median);
  const auto percent = [](double ratio) { return fmt::format("{:.0f} %", (ratio - 1) * 100); };
  std::string text = fmt::format("{} of {} choices are surely within {} of the best", sure,
                                 choices.size(), percent(Race::kEqual));
  if (doubt > kUnknown) {
    text += "; time was too short to tell of the others";
  } else if (doubt > Race::kEqual) {
    text += fmt::format("; of the others none is more than {} behind it", percent(doubt));
  }
  if (*median > kUnknown) return text;
  return text + fmt::format("; half of the speedups are right to {}", percent(*median));
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
    line(kernel.data == KernelData::kKv ? "attention" : "weights",
         fmt::format("{}{}{:.1f} GB/s for each thread on data in L2", kernel.name,
                     kernel.name.empty() ? "" : ": ", kernel.hot_bytes_per_s * 1e-9));
    text += GainsText(kernel);
  }
  const std::vector<Streams> choices = Choices(profile);
  if (!choices.empty()) line("how sure that is", HowSure(choices));
  return text;
}

}  // namespace bitfetch
