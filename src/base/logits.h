// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_LOGITS_H_
#define BITFETCH_BASE_LOGITS_H_

#include <cstdint>
#include <vector>

// What a sampler and an output head say to each other.
namespace bitfetch {

// The logit of one token of the vocabulary.
struct Logit {
  int id;
  float value;
};

// Which logits a sampler must see to draw as if it saw all: those of the ids in `always`, and of
// the other ids those that are no less than the `top`-th largest of them less `margin`. More of
// them do no harm.
struct LogitsWanted {
  int64_t top = 0;               // 0: all logits
  double margin = 0;             // 0 and up
  std::vector<int> always = {};  // ascending; an id that there is not is ignored
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_LOGITS_H_
