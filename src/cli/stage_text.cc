// SPDX-License-Identifier: Apache-2.0
#include "cli/stage_text.h"

#include <fmt/format.h>

#include <iterator>

namespace bitfetch {

std::vector<StageShare> StageShares(const StageProfile& profile, int64_t tokens,
                                    double read_gb_per_s) {
  const StageProfile::Total sum = profile.Sum();
  std::vector<StageShare> shares;
  const auto add = [&](std::string_view stage, const StageProfile::Total& total) {
    if (total.runs == 0) return;
    const auto count = static_cast<double>(tokens);
    const auto bytes = static_cast<double>(total.bytes);
    shares.push_back({.stage = std::string(stage),
                      .us_per_token = total.ns * 1e-3 / count,
                      .share = total.ns / sum.ns,
                      .bytes_per_token = bytes / count,
                      .gb_per_s = bytes / total.ns,
                      .fraction = bytes / total.ns / read_gb_per_s});
  };
  for (size_t i = 0; i < kStages; ++i) {
    const auto stage = static_cast<Stage>(i);
    add(StageName(stage), profile.at(stage));
  }
  add("all", sum);
  return shares;
}

std::string StageTable(const StageProfile& profile, int64_t tokens, double read_gb_per_s) {
  std::string text =
      "stage        us a token  of the time  MB a token    GB/s  share of peak read bandwidth\n";
  for (const StageShare& share : StageShares(profile, tokens, read_gb_per_s)) {
    text += fmt::format("{:<11}  {:>10.1f}  {:>9.1f} %", share.stage, share.us_per_token,
                        100 * share.share);
    if (share.bytes_per_token > 0) {
      text += fmt::format("  {:>11.2f}  {:>6.1f}  {:.2f}", share.bytes_per_token * 1e-6,
                          share.gb_per_s, share.fraction);
    }
    text += '\n';
  }
  return text;
}

}  // namespace bitfetch
