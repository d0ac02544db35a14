// SPDX-License-Identifier: Apache-2.0
#include "engine/embedding.h"

#include <cmath>
#include <span>

namespace bitfetch {

Result<std::vector<float>> Embedding(const Sequence& sequence) {
  const std::span<const float> state = sequence.state();
  if (state.empty()) return Fail("nothing was appended yet that an embedding could be of");
  double squares = 0;
  for (const float x : state) squares += double{x} * x;
  if (!std::isfinite(squares) || squares == 0) {
    return Fail("the state behind the last token has no direction: the sum of its squares is {}",
                squares);
  }
  const double length = std::sqrt(squares);
  std::vector<float> embedding;
  for (const float x : state) embedding.push_back(static_cast<float>(x / length));
  return embedding;
}

}  // namespace bitfetch
