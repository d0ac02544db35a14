// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/text_options.h"
#include "engine/read_tokenizer.h"
#include "model/gguf_reader.h"

namespace bitfetch {
namespace {

struct DetokenizeArguments {
  std::string model;
  std::vector<int> tokens;
};

Result<int> RunDetokenize(const DetokenizeArguments& options) {
  BITFETCH_ASSIGN_OR_RETURN(const GgufReader file, GgufReader::Open(options.model));
  BITFETCH_ASSIGN_OR_RETURN(const Tokenizer tokenizer, ReadTokenizer(file));
  BITFETCH_ASSIGN_OR_RETURN(const std::string text, tokenizer.Decode(options.tokens));
  BITFETCH_RETURN_IF_ERROR(PrintModelText(text));
  return Printed(StdoutIsTerminal() ? "\n" : "");
}

}  // namespace

void AddDetokenize(Command& program) {
  const auto options = std::make_shared<DetokenizeArguments>();
  Command& command = program.Add(
      "detokenize",
      {.usage = "-m MODEL --ids 1,2,3",
       .summary = "show the text of token ids",
       .more = R"(Prints the text and nothing else. The file may hold a vocabulary without weights.

example:
  bitfetch detokenize -m models/tiny.gguf --ids 73,110)"});
  AddModelPath(command, &options->model);
  command
      .AddParsed("--ids,--tokens", "IDS", "the token ids, with commas between them",
                 &options->tokens, ParseTokens)
      .Required();
  command.SetRun([options] { return RunDetokenize(*options); });
}

}  // namespace bitfetch
