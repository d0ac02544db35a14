// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_CLOCK_H_
#define BITFETCH_MACHINE_CLOCK_H_

#include <chrono>

namespace bitfetch {

// Time since some fixed moment, for differences.
inline double NowNs() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class Stopwatch {
 public:
  double Seconds() const { return (NowNs() - start_) * 1e-9; }

 private:
  double start_ = NowNs();
};

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_CLOCK_H_
