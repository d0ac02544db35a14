// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_SPREAD_H_
#define BITFETCH_BENCH_SPREAD_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
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

// `count` of `total` over `other` of `other_total`, none of them 0, and where that ratio lies with
// 95 %. Source: Katz, Baptista, Azen and Pike, "Obtaining confidence intervals for the risk ratio
// in cohort studies", Biometrics 34 (1978).
inline Spread RatioOfShares(int64_t count, int64_t total, int64_t other, int64_t other_total) {
  const double share = static_cast<double>(count) / static_cast<double>(total);
  const double other_share = static_cast<double>(other) / static_cast<double>(other_total);
  const double ratio = share / other_share;
  const double variance =
      (1 - share) / static_cast<double>(count) + (1 - other_share) / static_cast<double>(other);
  const double factor = std::exp(1.96 * std::sqrt(variance));
  return {ratio, ratio / factor, ratio * factor};
}

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_SPREAD_H_
