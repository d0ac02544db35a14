// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SPREAD_H_
#define BITFETCH_ENGINE_SPREAD_H_

#include <algorithm>
#include <vector>

namespace bitfetch {

// A figure that was measured several times: the median (the lower of two middle ones) and the
// range.
struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

// `figures` must not be empty.
inline Spread SpreadOf(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  return {figures[(figures.size() - 1) / 2], figures.front(), figures.back()};
}

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SPREAD_H_
