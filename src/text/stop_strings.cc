// SPDX-License-Identifier: Apache-2.0
#include "text/stop_strings.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/printable.h"
#include "base/utf8.h"

namespace bitfetch {

Result<StopStrings> StopStrings::Create(std::vector<std::string> stops) {
  for (const std::string& stop : stops) {
    if (stop.empty()) return Fail("a stop string is empty");
    // A UTF-8 string begins and ends with whole characters wherever it occurs: what is shown stays
    // whole.
    if (!IsUtf8(stop)) return Fail("the stop string \"{}\" is not UTF-8", Printable(stop));
  }
  std::ranges::sort(stops, std::greater(), &std::string::size);
  return StopStrings(std::move(stops));
}

std::string StopStrings::Feed(std::string_view text) {
  if (stopped()) return "";
  std::string safe;
  for (const char byte : text) {
    held_.push_back(byte);
    for (const std::string& stop : stops_) {
      if (!held_.ends_with(stop)) continue;
      found_ = stop;
      safe += held_.substr(0, held_.size() - stop.size());
      held_.clear();
      return safe;
    }
    const auto begins_a_stop = [&](const std::string& end) {
      return std::ranges::any_of(stops_,
                                 [&](const std::string& stop) { return stop.starts_with(end); });
    };
    size_t shown = 0;
    while (shown < held_.size() && !begins_a_stop(held_.substr(shown))) ++shown;
    safe.append(held_, 0, shown);
    held_.erase(0, shown);
  }
  return safe;
}

std::string StopStrings::Finish() {
  found_.clear();
  return std::exchange(held_, "");
}

}  // namespace bitfetch
