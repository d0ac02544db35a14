// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_KEY_SEQUENCE_H_
#define BITFETCH_CLI_KEY_SEQUENCE_H_

#include <cstddef>
#include <string_view>

namespace bitfetch {

// What a terminal sends for a key that is no character, and for an event: ESC [ or ESC O and what
// belongs to it (CSI and SS3 of ECMA-48), maybe behind another ESC, for Alt. So do the Linux
// console (ESC [ [ A) and rxvt (ESC [ 3 $).
struct KeySequence {
  enum class Kind { kNone, kUnfinished, kWhole };
  Kind kind;
  size_t size = 0;  // of a whole one
};

// What `typed` begins with. A sequence that a byte breaks off which cannot belong to it ends there.
KeySequence NextKeySequence(std::string_view typed);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_KEY_SEQUENCE_H_
