// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_TEXT_OPTIONS_H_
#define BITFETCH_CLI_TEXT_OPTIONS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "text/tokenizer.h"

namespace bitfetch {

// Where a text comes from: exactly one is given.
struct TextOptions {
  std::optional<std::string> text;
  std::optional<std::string> file;
  bool from_stdin = false;  // the text or the file was "-"

  // The text, if it was given itself: what -e reads escapes in.
  std::vector<std::string*> Given();

  // What an error calls it: the file, "stdin" or "-p".
  std::string Name() const;
};

// -p and -f.
void AddTextOptions(Command& command, TextOptions* options);

// The text; of a file or stdin without UTF-8's byte-order mark. Errors name the file: not there, no
// permission, a directory, larger than a text can be, in UTF-16 or UTF-32.
Result<std::string> ReadText(const TextOptions& options);

// Tokenizer::Encode, with a warning if the text is not UTF-8.
Result<std::vector<int>> EncodeText(const Tokenizer& tokenizer, std::string_view text, bool add_bos,
                                    bool special = false);
void WarnOfBrokenUtf8(size_t replaced);

// "1,2,3"; ids from 0 on. The vocabulary is not looked at.
Result<std::vector<int>> ParseTokens(std::string_view text);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_TEXT_OPTIONS_H_
