// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_HF_TERNARY_H_
#define BITFETCH_CONVERT_HF_TERNARY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "convert/safetensors.h"
#include "model/tensor_type.h"

namespace bitfetch {

// How a matrix of a Hugging Face model is to be read.
struct HfTernaryRules {
  // Floats of any value are what the model's ternary weights are rounded from, as in training.
  // Otherwise they have to be three values already.
  bool round;
  bool scale_divides;  // HfConfig
};

// The ternary weights of a matrix in a Hugging Face folder, row by row, in whichever way it is
// stored:
//
//   U8 [rows / 4][cols], and a scale   code of row r in byte r % (rows / 4), bits 2 * (r / (rows /
//   4)) floats of three values -s, 0, s    they are the weights; a scale beside them is a factor of
//   s any other floats                   s = 1 / max(mean(|w|), 1e-5), weight = clamp(round(w * s),
//   -1, 1) / s
//
// Sources: transformers, integrations/bitnet.py (pack_weights, WeightQuant). Where that takes the
// mean in float32, this takes it in float64: a scale may differ in its last bit.
class HfTernary {
 public:
  // Floats cost a pass over the tensor, at about 1 GB/s. Errors name the tensor: another dtype, a
  // shape that is not [rows][cols], a scale that is none, values that are not finite, or more than
  // three of them where rules.round is false.
  static Result<HfTernary> Open(const SafeTensor& weight, const SafeTensor* scale, int64_t rows,
                                int64_t cols, const HfTernaryRules& rules);

  // Weight = (code - 1) * scale().
  float scale() const { return scale_; }

  // Codes 0, 1 or 2 of one row: out[cols]. An error names the tensor and the place of a code 3.
  Status ReadRow(int64_t row, std::span<uint8_t> out);

 private:
  HfTernary(const SafeTensor& weight, int64_t rows, int64_t cols)
      : weight_(&weight), rows_(rows), cols_(cols), floats_(weight.FloatType()) {}
  Status MeasureFloats(bool round);
  void ReadFloats(int64_t row, std::span<float> out) const;

  const SafeTensor* weight_;
  int64_t rows_;
  int64_t cols_;
  std::optional<TensorType> floats_;  // none: packed
  float scale_ = 1;
  float inverse_ = 1;  // of the scale that the floats are rounded with
  std::vector<float> row_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_HF_TERNARY_H_
