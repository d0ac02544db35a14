// SPDX-License-Identifier: Apache-2.0
#include "engine/sequence.h"

#include <algorithm>

namespace bitfetch {

void Sequence::Truncate(int64_t length) {
  if (length < this->length()) state_.clear();
  cache_.Truncate(length);
  tokens_.resize(std::clamp<int64_t>(length, 0, this->length()));
}

}  // namespace bitfetch
