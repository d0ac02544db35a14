// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <memory>
#include <span>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/text_options.h"

namespace bitfetch {
namespace {

static_assert(std::endian::native == std::endian::little);

struct LogitsArguments {
  ModelOptions model;
  std::vector<int> tokens;
  std::string out;
};

Result<int> RunLogits(const LogitsArguments& options) {
  BITFETCH_ASSIGN_OR_RETURN(const OpenedSession opened, OpenSession(options.model));
  Session& session = *opened.session;
  BITFETCH_RETURN_IF_ERROR(session.CheckRoom(options.tokens.size()));
  BITFETCH_ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Create(options.out));

  ProgressLine line;
  const Progress progress = line.Percent("computing logits");
  const auto vocab = static_cast<size_t>(session.model().config().vocab);
  std::vector<float> logits(std::min<size_t>(ForwardPass::kMaxRows, options.tokens.size()) * vocab);
  for (size_t done = 0; done < options.tokens.size();) {
    const size_t count = std::min<size_t>(ForwardPass::kMaxRows, options.tokens.size() - done);
    BITFETCH_RETURN_IF_ERROR(
        session.AppendBatch(std::span(options.tokens).subspan(done, count), logits.data()));
    BITFETCH_RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(logits).first(count * vocab))));
    done += count;
    progress(static_cast<int64_t>(done), static_cast<int64_t>(options.tokens.size()));
  }
  BITFETCH_RETURN_IF_ERROR(writer.Commit());
  return kExitOk;
}

}  // namespace

void AddLogits(Command& program) {
  const auto options = std::make_shared<LogitsArguments>();
  Command& command = program.Add(
      "logits",
      {.usage = "-m MODEL --ids 1,2,3 --out FILE [options]",
       .summary = "write the logits behind each of some tokens to a file",
       .more =
           R"(Runs the model over the tokens. For each of them the file holds the scores (logits) that the model
gives to every token of the vocabulary as the next one: float32, little-endian,
[tokens][vocabulary].

example:
  bitfetch logits -m models/tiny.gguf --ids 73,110 --out logits.f32)"});
  AddModelOptions(command, &options->model);
  command
      .AddParsed("--ids,--tokens", "IDS", "the token ids, with commas between them",
                 &options->tokens, ParseTokens)
      .Required();
  command.AddPath("-o,--out", "FILE", "the file to write", &options->out).Required();
  command.SetRun([options] { return RunLogits(*options); });
}

}  // namespace bitfetch
