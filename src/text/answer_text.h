// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_ANSWER_TEXT_H_
#define BITFETCH_TEXT_ANSWER_TEXT_H_

#include <string>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "text/stop_strings.h"

namespace bitfetch {

// From the bytes of tokens to text that may be shown: whole characters, up to a stop string.
class AnswerText {
 public:
  explicit AnswerText(StopStrings stops) : stops_(std::move(stops)) {}

  // What can be shown now.
  std::string Feed(std::string_view bytes) { return stops_.Feed(characters_.Feed(bytes)); }
  // The answer ends: what was held back.
  std::string Finish();

  // The stop string that was found; empty: none.
  const std::string& stop() const { return stops_.found(); }

 private:
  Utf8Stream characters_;
  StopStrings stops_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_ANSWER_TEXT_H_
