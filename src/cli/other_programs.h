// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_OTHER_PROGRAMS_H_
#define BITFETCH_CLI_OTHER_PROGRAMS_H_

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/error.h"

namespace bitfetch {

// A command that is, or belongs to, a program of its own, so that whoever only runs models need not
// build it. `program` lies beside `bitfetch`; run.sh has its name too.
struct OtherProgram {
  std::string_view command;
  std::string_view program;
  std::string_view summary;
};

inline constexpr OtherProgram kOtherPrograms[] = {
    {"synth", "bitfetch-convert", "write a model with random weights, for measuring and tests"},
    {"convert", "bitfetch-convert", "write a Hugging Face folder as a GGUF file"},
    {"serve", "bitfetch-serve",
     "answer clients of OpenAI's and Anthropic's interfaces, many at once"},
    {"bench", "bitfetch-bench",
     "measure attention, memory, or whole models; or all of it, for a report"},
};

// Null where `bitfetch` itself has the command.
constexpr const OtherProgram* FindOtherProgram(std::string_view command) {
  const auto* const found = std::ranges::find(kOtherPrograms, command, &OtherProgram::command);
  return found == std::end(kOtherPrograms) ? nullptr : found;
}

// Goes on as the program, with the same arguments. Returns only if that cannot be, and says why.
Error GoOnAs(const OtherProgram& other, char** argv);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_OTHER_PROGRAMS_H_
