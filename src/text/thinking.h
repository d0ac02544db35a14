// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_THINKING_H_
#define BITFETCH_TEXT_THINKING_H_

#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {

// What a model thinks is between these.
inline constexpr std::string_view kThoughtsBegin = "<think>";
inline constexpr std::string_view kThoughtsEnd = "</think>";

// Whether what a model is given ends in <think>, so that its answer begins inside; in </think>, so
// that it begins behind.
bool EndsInThinking(std::string_view prompt);
bool EndsBehindThinking(std::string_view prompt);

// Tells what a model thinks from what it says: an answer may begin with <think> ... </think>, after
// white space. White space around the marks goes with them; later ones are text. It does not matter
// how the answer is cut.
class ThinkingStream {
 public:
  enum Kind { kMark, kThought, kSaid };
  struct Part {
    std::string text;
    Kind kind;
  };

  explicit ThinkingStream(bool begins_inside) : at_(begins_inside ? kBegun : kBefore) {}

  // What can be told now: none or a few parts, none of them empty.
  std::vector<Part> Feed(std::string_view text);
  // The answer ends: what was held back.
  std::vector<Part> Finish();

 private:
  // Before <think>, behind it, in the thoughts, behind </think>, in the answer proper.
  enum Place { kBefore, kBegun, kInside, kBehind, kAnswer };

  // Moves on as far as `held_` tells; whether it did.
  bool Step(std::vector<Part>* parts);
  void Emit(size_t size, Kind kind, std::vector<Part>* parts);

  Place at_;
  std::string held_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_THINKING_H_
