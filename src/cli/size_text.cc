// SPDX-License-Identifier: Apache-2.0
#include "cli/size_text.h"

#include <algorithm>
#include <cstdint>

#include "cli/command.h"

namespace bitfetch {

Result<double> ParseSize(std::string_view text) {
  const size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string_view unit = text.substr(end);
  double factor = 1;
  if (!unit.empty()) {
    const size_t power = std::string_view("KMGT").find(unit.front());
    if (end == 0 || power == std::string_view::npos ||
        !(unit.size() == 1 || unit.substr(1) == "iB")) {
      return Fail("'{}' is no size: wanted a number and K, M, G or T, as in 4G", text);
    }
    factor = static_cast<double>(uint64_t{1} << (10 * (power + 1)));
  }
  BITFETCH_ASSIGN_OR_RETURN(const double number, ParseNumber(text.substr(0, end), 0, 1e15));
  return number * factor;
}

}  // namespace bitfetch
