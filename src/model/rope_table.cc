// SPDX-License-Identifier: Apache-2.0
#include "model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/math.h"

namespace bitfetch {

RopeTable::RopeTable(RopeForm form, double theta, int64_t head_dim, std::span<const float> factors,
                     const Yarn& yarn)
    : form_(form), magnitude_(1 + 0.1 * Log(yarn.factor)), frequencies_(head_dim / 2) {
  const double log_theta = Log(theta);
  const auto dims = static_cast<double>(head_dim);
  // The pair, with a fraction, that turns so many times in the original context.
  const auto turning = [&](double times) {
    const double positions_a_turn = static_cast<double>(yarn.original_context) / times;
    return dims * Log(positions_a_turn / (2 * std::numbers::pi)) / (2 * log_theta);
  };
  const double first = std::max(0.0, std::floor(turning(32)));
  const double last = std::min(dims - 1, std::ceil(turning(1)));
  for (int64_t i = 0; i < pairs(); ++i) {
    const double exponent = static_cast<double>(2 * i) / dims;
    double& frequency = frequencies_[i];
    frequency =
        Exp(-exponent * log_theta) / (factors.empty() ? 1.0 : static_cast<double>(factors[i]));
    if (yarn.factor == 1) continue;
    const double slowed =
        std::clamp((static_cast<double>(i) - first) / std::max(0.001, last - first), 0.0, 1.0);
    frequency = frequency / yarn.factor * slowed + frequency * (1 - slowed);
  }
}

void RopeTable::At(int64_t position, float* cosines, float* sines) const {
  for (int64_t i = 0; i < pairs(); ++i) {
    const SineCosine angle = SinCos(static_cast<double>(position) * frequencies_[i]);
    cosines[i] = static_cast<float>(angle.cosine * magnitude_);
    sines[i] = static_cast<float>(angle.sine * magnitude_);
  }
}

}  // namespace bitfetch
