// SPDX-License-Identifier: Apache-2.0
#include "model/rope_table.h"

#include "base/math.h"

namespace bitfetch {

RopeTable::RopeTable(RopeForm form, double theta, int64_t head_dim, std::span<const float> factors)
    : form_(form), frequencies_(head_dim / 2) {
  const double log_theta = Log(theta);
  for (int64_t i = 0; i < pairs(); ++i) {
    const double exponent = static_cast<double>(2 * i) / static_cast<double>(head_dim);
    frequencies_[i] =
        Exp(-exponent * log_theta) / (factors.empty() ? 1.0 : static_cast<double>(factors[i]));
  }
}

void RopeTable::At(int64_t position, float* cosines, float* sines) const {
  for (int64_t i = 0; i < pairs(); ++i) {
    const SineCosine angle = SinCos(static_cast<double>(position) * frequencies_[i]);
    cosines[i] = static_cast<float>(angle.cosine);
    sines[i] = static_cast<float>(angle.sine);
  }
}

}  // namespace bitfetch
