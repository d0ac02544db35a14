// SPDX-License-Identifier: Apache-2.0
#include "cli/text_options.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/errno_text.h"
#include "base/log.h"
#include "cli/text_encoding.h"

namespace bitfetch {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;

Result<std::string> ReadAll(const std::string& name, int fd) {
  std::string text;
  size_t size = 0;
  while (true) {
    text.resize(std::max<size_t>(size * 2, 1 << 16));
    const ssize_t got = read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno(name);
    size += static_cast<size_t>(got);
    if (size > kMaxBytes) return Fail("{}: the text has more than 1 GiB", name);
    if (got == 0) break;
  }
  text.resize(size);
  BITFETCH_RETURN_IF_ERROR(TakeUtf8(name, &text));
  return text;
}

}  // namespace

std::vector<std::string*> TextOptions::Given() {
  if (!text || from_stdin) return {};
  return {&*text};
}

std::string TextOptions::Name() const { return from_stdin ? "stdin" : file.value_or("-p"); }

void AddTextOptions(Command& command, TextOptions* options) {
  command.AddOption(
      "-p,--prompt", "TEXT",
      "the text; - reads it from stdin. A \\n in it is a backslash and an n, unless -e "
      "is given",
      [options](const std::string& text) -> Status {
        options->text = text;
        options->from_stdin |= text == "-";
        return {};
      });
  command.AddOption("-f,--file", "FILE",
                    "a file with the text, in which -e reads no escapes; - is stdin",
                    [options](const std::string& path) -> Status {
                      if (path.empty()) return Fail("an empty path names nothing");
                      options->file = path;
                      options->from_stdin |= path == "-";
                      return {};
                    });
  command.Require([options]() -> Status {
    if (options->text && options->file) return Fail("-p and -f cannot both be given");
    if (!options->text && !options->file) return Fail("a text is missing: give -p or -f");
    return {};
  });
}

Result<std::string> ReadText(const TextOptions& options) {
  if (options.from_stdin) return ReadAll(options.Name(), STDIN_FILENO);
  if (options.text) return *options.text;
  const int fd = open(options.file->c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FailErrno(*options.file);
  Result<std::string> text = ReadAll(options.Name(), fd);
  close(fd);
  return text;
}

Result<std::vector<int>> EncodeText(const Tokenizer& tokenizer, std::string_view text, bool add_bos,
                                    bool special) {
  size_t replaced = 0;
  BITFETCH_ASSIGN_OR_RETURN(std::vector<int> tokens,
                            tokenizer.Encode(text, add_bos, &replaced, special));
  WarnOfBrokenUtf8(replaced);
  return tokens;
}

void WarnOfBrokenUtf8(size_t replaced) {
  if (replaced == 0) return;
  Warn("the text is not UTF-8 in {} place{}: read as U+FFFD", replaced, replaced == 1 ? "" : "s");
}

Result<std::vector<int>> ParseTokens(std::string_view text) {
  return ParseList<int>(text, Integer<int>(0));
}

}  // namespace bitfetch
