// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_ROPE_TABLE_H_
#define BITFETCH_MODEL_ROPE_TABLE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/arch/architecture.h"

namespace bitfetch {

// By which angles RoPE turns the pairs of a head at each position (Su et al., 2021): position *
// theta^(-2i / head_dim) for pair i, divided by that pair's factor where a model has such
// (Llama-3.1's long contexts).
class RopeTable {
 public:
  // `factors`: [head_dim / 2], or empty.
  RopeTable(RopeForm form, double theta, int64_t head_dim, std::span<const float> factors);

  RopeForm form() const { return form_; }
  int64_t pairs() const { return static_cast<int64_t>(frequencies_.size()); }

  // Cosines and sines at `position`, [pairs] each. Costs about 20 ns a pair. The same bits on every
  // machine.
  void At(int64_t position, float* cosines, float* sines) const;

 private:
  RopeForm form_;
  std::vector<double> frequencies_;  // [pairs] radians a position
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_ROPE_TABLE_H_
