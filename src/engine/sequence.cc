// SPDX-License-Identifier: Apache-2.0
#include "engine/sequence.h"

#include <algorithm>

namespace bitfetch {

Sequence Sequence::Fork() const {
  Sequence fork(cache_.Fork(), *this);
  fork.ForgetGuesses();
  return fork;
}

void Sequence::Truncate(int64_t length) {
  const int64_t kept = std::clamp<int64_t>(length, 0, this->length());
  states_.resize(kept < this->length() ? 0 : state().size());
  guesses_.clear();
  cache_.Truncate(kept);
  tokens_.resize(kept);
}

std::span<const float> Sequence::state(int64_t guesses) const {
  const size_t hidden = states_.size() / (1 + guesses_.size());
  return std::span(states_).subspan(guesses * hidden, hidden);
}

}  // namespace bitfetch
