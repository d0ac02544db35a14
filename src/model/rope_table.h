// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_ROPE_TABLE_H_
#define BITFETCH_MODEL_ROPE_TABLE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/arch/architecture.h"

namespace bitfetch {

// YaRN (Peng et al., 2023): a context `factor` times the one that a model was trained on.
struct Yarn {
  double factor = 1;  // at least 1, which changes nothing
  int64_t original_context = 0;
};

// By which angles RoPE turns the pairs of a head at each position (Su et al., 2021): position *
// theta^(-2i / head_dim) for pair i, divided by that pair's factor where a model has such
// (Llama-3.1's long contexts).
//
// YaRN as ggml computes it: pairs that turn more than 32 times in the original context keep their
// angle, those that turn less than once have it divided by the factor, and those between a mixture;
// what is turned grows by 1 + 0.1 ln(factor).
class RopeTable {
 public:
  // `factors`: [head_dim / 2], or empty.
  RopeTable(RopeForm form, double theta, int64_t head_dim, std::span<const float> factors,
            const Yarn& yarn = {});

  RopeForm form() const { return form_; }
  int64_t pairs() const { return static_cast<int64_t>(frequencies_.size()); }

  // Cosines and sines at `position`, times YaRN's growth, [pairs] each. Costs about 20 ns a pair.
  // The same bits on every machine.
  void At(int64_t position, float* cosines, float* sines) const;

 private:
  RopeForm form_;
  double magnitude_;
  std::vector<double> frequencies_;  // [pairs] radians a position
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_ROPE_TABLE_H_
