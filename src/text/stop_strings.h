// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_STOP_STRINGS_H_
#define BITFETCH_TEXT_STOP_STRINGS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// Ends a stream of text where one of several strings is complete, and holds back what may be the
// beginning of one. It does not matter how the text is cut. Comes after Utf8Stream: bytes ->
// characters -> text without stop strings.
class StopStrings {
 public:
  // An empty string, or one that is not UTF-8, is an error. Without any, text passes unchanged.
  static Result<StopStrings> Create(std::vector<std::string> stops);

  // The text that is now safe to show. The first stop string to be complete ends the stream (of
  // several, the longest): it and all that follows is dropped.
  std::string Feed(std::string_view text);

  // Whether a stop string was found, and which; empty: none.
  bool stopped() const { return !found_.empty(); }
  const std::string& found() const { return found_; }

  // What was held back, when the text ends without a stop string. The stream is then as new.
  std::string Finish();

 private:
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  std::vector<std::string> stops_;  // the longest first
  std::string held_;                // the longest end of the text that begins a stop string
  std::string found_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_STOP_STRINGS_H_
