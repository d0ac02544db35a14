// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_UTF8_H_
#define BITFETCH_BASE_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitfetch {

// Broken UTF-8 becomes U+FFFD, one for each maximal subpart of an ill-formed sequence: the practice
// that Unicode recommends (chapter 3, "U+FFFD Substitution of Maximal Subparts") and Python's
// errors="replace" follows.

// What the first bytes of a text are.
struct Utf8Step {
  enum Kind {
    kCharacter,   // a whole character
    kBroken,      // bytes that no continuation can mend
    kUnfinished,  // the beginning of a character, cut off by the text's end
  };
  Kind kind;
  size_t size;  // in bytes, at least 1
};

// `text` must not be empty.
Utf8Step NextUtf8(std::string_view text);

bool IsUtf8(std::string_view text);

// A copy of `text` with every broken piece replaced; adds the number of pieces to `*replaced` where
// given.
std::string ReplaceBrokenUtf8(std::string_view text, size_t* replaced = nullptr);

// Makes whole characters of bytes that come in pieces, for a token may end within a character.
class Utf8Stream {
 public:
  // The characters that `bytes` completes. The beginning of one, at most 3 bytes, waits for the
  // next call.
  std::string Feed(std::string_view bytes);

  // Ends the text: U+FFFD if a character was left unfinished, otherwise nothing. The stream is then
  // as new.
  std::string Finish();

 private:
  std::string unfinished_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_UTF8_H_
