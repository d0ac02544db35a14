// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_CIRCUIT_BREAKER_H_
#define BITFETCH_TIER_CIRCUIT_BREAKER_H_

#include <algorithm>
#include <utility>

namespace bitfetch {

// Keeps calls from a server that failed: for a second, and twice as long after each failure that
// follows, up to half a minute. Then one call may try; when it succeeds all may again.
//
// Times are in seconds, on any clock that does not go back.
class CircuitBreaker {
 public:
  static constexpr double kMinRest = 1;
  static constexpr double kMaxRest = 30;

  // Whether a call may be made now. One that may must report how it ended, or others wait for it.
  bool Allows(double now) {
    if (!is_open_) return true;
    if (now < rests_until_) return false;
    rests_until_ = now + rest_;  // whoever comes meanwhile waits for this one's answer
    return true;
  }

  // Whether the server did not answer before.
  bool Succeeded() {
    rest_ = kMinRest;
    return std::exchange(is_open_, false);
  }

  // Whether the server did answer before.
  bool Failed(double now) {
    rests_until_ = now + rest_;
    rest_ = std::min(2 * rest_, kMaxRest);
    return !std::exchange(is_open_, true);
  }

 private:
  bool is_open_ = false;
  double rest_ = kMinRest;
  double rests_until_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_CIRCUIT_BREAKER_H_
