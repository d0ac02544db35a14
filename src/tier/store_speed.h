// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_STORE_SPEED_H_
#define BITFETCH_TIER_STORE_SPEED_H_

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace bitfetch {

// How soon a store begins to answer, and how fast it goes on: averages of which what was seen last
// is an eighth.
class StoreSpeed {
 public:
  // Records on their way beyond which none is any faster, and a fetch that ends early has more in
  // vain.
  static constexpr size_t kMaxAhead = 16;

  // An answer of hardly any bytes took so many seconds.
  void AddLatency(double seconds) { Take(&latency_, seconds); }

  // So many bytes took so many seconds from when they were asked for.
  void AddRead(double seconds, double bytes) {
    Take(&seconds_per_byte_, std::max(seconds - latency_, seconds / kMaxAhead) / bytes);
  }

  // How many records of so many bytes to ask for at once: latency times rate (Little's law), and
  // one that is being taken meanwhile.
  size_t Ahead(double bytes) const {
    if (seconds_per_byte_ <= 0) return 2;
    const double in_flight = std::ceil(latency_ / (seconds_per_byte_ * bytes));
    return static_cast<size_t>(std::min(in_flight + 1, static_cast<double>(kMaxAhead)));
  }

 private:
  static void Take(double* average, double seen) {
    *average = *average == 0 ? seen : *average + (seen - *average) / 8;
  }

  double latency_ = 0;  // seconds
  double seconds_per_byte_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_STORE_SPEED_H_
