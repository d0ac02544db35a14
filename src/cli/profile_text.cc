// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace bitfetch {

std::string ProfileText(const MachineProfile& profile) {
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(text), "{:<26}{}\n", name, value);
  };
  const std::string_view source = profile.source == ProfileSource::kDefault ? "assumed"
                                  : profile.source == ProfileSource::kQuick ? "measured in passing"
                                                                            : "measured by tune";
  line("memory", fmt::format("{} ({})", ProfileSourceName(profile.source), source));
  line("  latency", fmt::format("{:.0f} ns on huge pages, {:.0f} ns on 4 KiB pages",
                                profile.latency_ns, profile.latency_4k_ns));
  line("  under load", fmt::format("{:.0f} ns, nine in ten within {:.0f} ns more",
                                   profile.loaded_latency_ns, profile.jitter_ns));
  line("  misses in flight", fmt::format("{:.1f} to a core", profile.misses_in_flight));
  int most_threads = 1;
  for (const ReadSpeed& read : profile.reads) most_threads = std::max(most_threads, read.threads);
  for (int threads = 1; threads <= most_threads; ++threads) {
    const ReadSpeed* best = nullptr;
    for (const ReadSpeed& read : profile.reads) {
      if (read.threads == threads && (!best || read.bytes_per_s > best->bytes_per_s)) best = &read;
    }
    if (!best) continue;
    const std::string how = best->streams == 0
                                ? std::string("plain loads")
                                : fmt::format("prefetched over {} streams", best->streams);
    line(fmt::format("  read, {} thread{}", threads, threads == 1 ? "" : "s"),
         fmt::format("{:.1f} GB/s ({}, {} bytes wide)", best->bytes_per_s * 1e-9, how,
                     best->width_bytes));
  }
  for (const StreamGain& gain : profile.gains) {
    line(fmt::format("  prefetch, {} stream{}", gain.streams, gain.streams == 1 ? "" : "s"),
         fmt::format("{:.2f} times as fast in address order, {:.2f} times in shuffled places",
                     gain.contiguous, gain.paged));
  }
  return text;
}

}  // namespace bitfetch
