// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_PASS_COST_H_
#define BITFETCH_ENGINE_PASS_COST_H_

#include <algorithm>
#include <cstdint>

namespace bitfetch {

// What a row more adds to a pass that has one, as passes took lately. A straight line is close
// enough: one row waits for memory, and every row more for its arithmetic. Lengths change slowly,
// so what was measured lately was measured at about this one.
class PassCost {
 public:
  // A pass of so many rows of one sequence took so long, logits included.
  void Measured(int64_t rows, double ns) {
    if (!(ns > 0)) return;
    // One row takes no longer than this, however slow its first passes were.
    if (one_row_ns_ == 0 ? rows == 1 : ns < one_row_ns_) one_row_ns_ = ns;
    if (one_row_ns_ == 0) return;
    if (rows > 1) {
      Approach((ns / one_row_ns_ - 1) / static_cast<double>(rows - 1), &row_);
    } else {
      Approach(ns, &one_row_ns_);
      row_ += (kUnmeasured - row_) / 64;  // so that what was too dear is tried again, some day
    }
  }

  // As a share of a pass of one row.
  double row() const { return std::max(row_, kMin); }

 private:
  // More than where rows are ever worth their while with little that repeats.
  static constexpr double kUnmeasured = 0.5;
  // Less than a row costs anywhere: a measurement that says so is wrong.
  static constexpr double kMin = 0.1;

  // By a quarter of the way, and no further than that of twice the value: passes that were held up
  // say little.
  static void Approach(double seen, double* value) {
    *value += (std::min(seen, 2 * std::max(*value, kMin)) - *value) / 4;
  }

  double one_row_ns_ = 0;
  double row_ = kUnmeasured;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_PASS_COST_H_
