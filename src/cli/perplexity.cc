// SPDX-License-Identifier: Apache-2.0
#include "engine/perplexity.h"

#include <memory>

#include "cli/commands.h"
#include "cli/escapes.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/text_options.h"
#include "engine/read_tokenizer.h"

namespace bitfetch {
namespace {

constexpr int64_t kMaxDefaultContext = 512;

struct PerplexityArguments {
  ModelOptions model;
  TextOptions text;
};

Result<int> RunPerplexity(const PerplexityArguments& options) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string text, ReadText(options.text));
  if (text.empty()) return Fail("{} has no text", options.text.Name());
  BITFETCH_ASSIGN_OR_RETURN(const OpenedSession opened, OpenSession(options.model));
  Session& session = *opened.session;
  BITFETCH_ASSIGN_OR_RETURN(
      const Tokenizer tokenizer,
      ReadTokenizerFor(session.model().file(), session.model().config().vocab));
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<int> tokens,
                            EncodeText(tokenizer, text, tokenizer.add_bos()));

  ProgressLine line;
  const auto on_window = [&](const Perplexity& so_far, int64_t windows) {
    line.Show(fmt::format("perplexity {:.4f} after {} of {} windows", so_far.perplexity,
                          so_far.windows, windows));
  };
  Result<Perplexity> result =
      MeasurePerplexity(session, tokenizer, tokens, session.context(), on_window);
  line.Clear();
  if (!result) return Fail("{}: {}", options.text.Name(), result.error().message);
  return Printed(
      fmt::format("perplexity {:.4f}\n"
                  "bits per byte {:.4f}\n"
                  "scored {} tokens, {} bytes, in {} windows of {} tokens\n",
                  result->perplexity, result->bits_per_byte, result->scored_tokens,
                  result->scored_bytes, result->windows, session.context()));
}

}  // namespace

void AddPerplexity(Command& program) {
  const auto options = std::make_shared<PerplexityArguments>();
  options->model.session.max_default_context = kMaxDefaultContext;
  Command& command = program.Add(
      "perplexity",
      {.usage = "-m MODEL (-f FILE | -p TEXT) [options]",
       .summary = "measure how well the model predicts a text",
       .more =
           R"(Prints the perplexity (lower is better), and bits for each byte of text, which can be compared
between vocabularies. Counts as llama.cpp does: the text is cut into windows of --ctx tokens that
begin with BOS, and the second half of each window is scored.

example:
  bitfetch perplexity -m models/tiny.gguf -f models/heldout.txt --ctx 512)"});
  AddModelOptions(command, &options->model, "512, or the model's context if that is shorter");
  AddTextOptions(command, &options->text);
  AddEscape(command, "-p", [options] { return options->text.Given(); });
  command.Require([options]() -> Status {
    const int64_t context = options->model.session.context;
    if (context == 0 || context >= kMinPerplexityContext) return {};
    return Fail("--ctx: {} is out of range: the shortest window has {} tokens", context,
                kMinPerplexityContext);
  });
  command.SetRun([options] { return RunPerplexity(*options); });
}

}  // namespace bitfetch
