// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SPREAD_H_
#define BITFETCH_ENGINE_SPREAD_H_

#include <algorithm>
#include <cstddef>
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

// Of each pair, the first over the second.
inline std::vector<double> Ratios(const std::vector<double>& first,
                                  const std::vector<double>& second) {
  std::vector<double> ratios(first.size());
  for (size_t i = 0; i < ratios.size(); ++i) ratios[i] = first[i] / second[i];
  return ratios;
}

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SPREAD_H_
