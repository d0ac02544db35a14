// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/other_programs.h"
#include "cli/output.h"
#include "cli/program_main.h"

namespace bitfetch {
namespace {

// The arguments with `help COMMAND` and `version` as `COMMAND --help` and `--version`.
std::vector<char*> WithoutWordsForFlags(int argc, char** argv) {
  static char help[] = "--help", version[] = "--version";
  std::vector<char*> words(argv, argv + argc);
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "help") {
    words.erase(words.begin() + 1);
    words.push_back(help);
  } else if (first == "version") {
    words[1] = version;
  }
  words.push_back(nullptr);
  return words;
}

int Run(int given_argc, char** given_argv) {
  std::vector<char*> words = WithoutWordsForFlags(given_argc, given_argv);
  const int argc = static_cast<int>(words.size()) - 1;
  char** argv = words.data();
  if (const OtherProgram* other = argc > 1 ? FindOtherProgram(argv[1]) : nullptr) {
    SayError(GoOnAs(*other, argv).message);
    return kExitError;
  }
  Command program(
      "bitfetch",
      {.usage = "COMMAND [options]",
       .summary = "Runs BitNet b1.58 language models (ternary weights) on ordinary CPUs, with "
                  "a KV cache that is\nfetched before it is needed.",
       .more = R"(Try first:
  bitfetch generate -m models/tiny.gguf -p "In the beginning" -n 100
  bitfetch info --machine
  bitfetch bench attention

Models are GGUF files; models/tiny.gguf is in the repository of bitfetch. `bitfetch COMMAND --help`
explains the options of a command and shows an example. What a command was asked for goes to stdout;
progress, timings, warnings and errors go to stderr.

Exit codes:
  0    all went well
  1    an error, which one line on stderr names: error: ...
  2    the command line is wrong
  130  ended by Ctrl-C (SIGINT)
  143  ended by SIGTERM (serve finishes what was begun, and exits 0)
  129  ended by SIGHUP)"});
  AddGenerate(program);
  AddChat(program);
  AddInfo(program);
  AddTune(program);
  AddTokenize(program);
  AddDetokenize(program);
  AddLogits(program);
  AddEmbed(program);
  AddPerplexity(program);
  AddCache(program);
  for (const OtherProgram& other : kOtherPrograms) {  // for the list of commands alone
    program.Add(std::string(other.command),
                {.usage = {}, .summary = std::string(other.summary), .more = {}});
  }
  return program.Main(argc, argv);
}

}  // namespace
}  // namespace bitfetch

int main(int argc, char** argv) { return bitfetch::ProgramMain(argc, argv, bitfetch::Run); }
