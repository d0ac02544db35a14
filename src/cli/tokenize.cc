// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/escapes.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/text_options.h"
#include "engine/read_tokenizer.h"
#include "model/gguf_reader.h"

namespace bitfetch {
namespace {

struct TokenizeArguments {
  std::string model;
  TextOptions text;
  bool no_bos = false;
  bool special = false;
};

Result<int> RunTokenize(const TokenizeArguments& options) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string text, ReadText(options.text));
  BITFETCH_ASSIGN_OR_RETURN(const GgufReader file, GgufReader::Open(options.model));
  BITFETCH_ASSIGN_OR_RETURN(const Tokenizer tokenizer, ReadTokenizer(file));
  BITFETCH_ASSIGN_OR_RETURN(
      std::vector<int> tokens,
      EncodeText(tokenizer, text, tokenizer.add_bos() && !options.no_bos, options.special));
  tokenizer.EndText(&tokens);
  return Printed(fmt::format("{}\n", fmt::join(tokens, ",")));
}

}  // namespace

void AddTokenize(Command& program) {
  const auto options = std::make_shared<TokenizeArguments>();
  Command& command = program.Add(
      "tokenize",
      {.usage = "-m MODEL (-p TEXT | -f FILE) [options]",
       .summary = "show the token ids of a text",
       .more =
           R"(Prints the ids on one line with commas between them, as the model would read them, with a token
that begins or ends a text (BOS, EOS) where the file asks for one. `generate` and `chat` never put
EOS behind a prompt, since it is to go on. The file may hold a vocabulary without weights.

examples:
  bitfetch tokenize -m models/tiny.gguf -p "In the beginning"
  bitfetch tokenize -m models/tiny.gguf --special -p "In the beginning<|end_of_text|>")"});
  AddModelPath(command, &options->model);
  AddTextOptions(command, &options->text);
  AddEscape(command, "-p", [options] { return options->text.Given(); });
  command.AddFlag("--no-bos",
                  "leave out the token that begins a text (BOS); one that ends it (EOS) stays",
                  &options->no_bos);
  command.AddFlag("--special", "read the names of control tokens in the text as these tokens",
                  &options->special);
  command.SetRun([options] { return RunTokenize(*options); });
}

}  // namespace bitfetch
