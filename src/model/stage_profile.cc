// SPDX-License-Identifier: Apache-2.0
#include "model/stage_profile.h"

namespace bitfetch {
namespace {

constexpr std::array<std::string_view, kStages> kNames = {
    "embed",   "norm", "qkv",  "store", "attention", "attn_output",
    "gate_up", "down", "head", "move",  "between"};

}  // namespace

std::string_view StageName(Stage stage) { return kNames[static_cast<size_t>(stage)]; }

StageProfile::Total& StageProfile::Total::operator+=(const Total& other) {
  ns += other.ns;
  bytes += other.bytes;
  runs += other.runs;
  return *this;
}

void StageProfile::Add(const StageProfile& other) {
  for (size_t i = 0; i < kStages; ++i) totals_[i] += other.totals_[i];
}

StageProfile::Total StageProfile::Sum() const {
  Total sum;
  for (const Total& total : totals_) sum += total;
  return sum;
}

}  // namespace bitfetch
