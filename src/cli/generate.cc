// SPDX-License-Identifier: Apache-2.0
#include "engine/generate.h"

#include <memory>

#include "cli/commands.h"
#include "cli/escapes.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/sampling_options.h"
#include "cli/stage_text.h"
#include "cli/text_options.h"
#include "cli/timings.h"
#include "engine/read_tokenizer.h"

namespace bitfetch {
namespace {

struct GenerateArguments {
  ModelOptions model;
  TextOptions text;
  SamplingOptions sampling;
  bool special = false;
  bool profile = false;
};

Result<int> RunGenerate(const GenerateArguments& options) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string text, ReadText(options.text));
  BITFETCH_ASSIGN_OR_RETURN(const OpenedSession opened, OpenSession(options.model));
  Session& session = *opened.session;
  BITFETCH_ASSIGN_OR_RETURN(
      const Tokenizer tokenizer,
      ReadTokenizerFor(session.model().file(), session.model().config().vocab));
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<int> prompt,
                            EncodeText(tokenizer, text, tokenizer.add_bos(), options.special));
  if (static_cast<int64_t>(prompt.size()) > session.context()) {
    return Fail(
        "{}: the prompt has {} tokens, but the context holds only {}: --ctx makes it larger",
        session.model().file().path(), prompt.size(), session.context());
  }
  const SamplerOptions sampler_options = SamplerWithSeed(options.sampling);
  BITFETCH_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(sampler_options));

  CatchInterrupts();
  ProgressLine line;
  Status printed;
  const bool on_screen = StdoutIsTerminal();
  size_t bytes = 0;
  const auto on_text = [&](std::string_view piece) {
    bytes += piece.size();
    if (on_screen) {
      line.Clear();
    } else {
      line.Show(fmt::format("generating: {} bytes", bytes));
    }
    printed = PrintModelText(piece);
    return printed.has_value();
  };
  BITFETCH_ASSIGN_OR_RETURN(const Generated generated,
                            Generate(session, tokenizer, sampler, prompt, options.sampling.generate,
                                     on_text, line.Percent("reading the prompt"), Interrupted()));
  line.Clear();
  if (!printed) return tl::unexpected(printed.error());
  if (session.length() == 0) {
    Say("stopped while reading the prompt\n");
    return kExitInterrupted;
  }
  if (on_screen) {
    BITFETCH_RETURN_IF_ERROR(Print("\n"));
  } else if (StdoutIsStderr()) {
    Say("\n");
  }

  if (const std::string end = UnusualEnd(generated, session.context()); !end.empty()) {
    Say(end + "\n");
  }
  Timings timings(opened.seconds);
  timings.Add(generated);
  Say(timings.Line(sampler_options));
  if (options.profile && generated.tokens > 1) {
    Say(StageTable(generated.profile, generated.tokens - 1, session.ReadBytesPerSecond() * 1e-9));
    const KvTraffic& traffic = session.cache().traffic();
    Say(fmt::format("KV cache: {:.2f} MB stored, {:.2f} MB fetched a stage ahead\n",
                    static_cast<double>(traffic.appended_bytes) * 1e-6,
                    static_cast<double>(traffic.prefetched_bytes) * 1e-6));
    const DraftCounts& draft = generated.draft;
    Say(fmt::format(
        "draft: {} of {} guessed tokens stood, {:.2f} tokens a pass\n", draft.stood, draft.drafted,
        static_cast<double>(draft.passes + draft.stood) / static_cast<double>(draft.passes)));
  }
  return Interrupted() ? kExitInterrupted : kExitOk;
}

}  // namespace

void AddGenerate(Command& program) {
  const auto options = std::make_shared<GenerateArguments>();
  Command& command = program.Add(
      "generate",
      {.usage = "-m MODEL (-p TEXT | -f FILE) [options]",
       .summary = "let a model continue a text",
       .more =
           R"(Only what the model writes goes to stdout, not the prompt. The last line on stderr says how long
loading, reading the prompt and writing took, and the seed.

llama.cpp's spellings of these options work too, such as --n-predict, --ctx-size, -s, -r, -ctk and
-ctv. Those that have no meaning here, such as -ngl, -fa and --mlock, are ignored with a warning.

examples:
  bitfetch generate -m models/tiny.gguf -p "In the beginning" -n 100 --seed 7
  bitfetch generate -m models/tiny.gguf -e -p "In the beginning\n" --stop "\n" --temp 0)"});
  AddModelOptions(command, &options->model);
  AddCacheOptions(command, &options->model);
  AddTextOptions(command, &options->text);
  command.AddFlag("--special", "read the names of control tokens in the text as these tokens",
                  &options->special);
  AddSamplingOptions(command, &options->sampling);
  AddEscape(command, "-p and --stop", [options] {
    std::vector<std::string*> texts = options->text.Given();
    for (std::string& stop : options->sampling.generate.stops) texts.push_back(&stop);
    return texts;
  });
  command.AddFlag("--profile", "show at the end where the time of a token went, stage by stage",
                  &options->profile);
  command.SetRun([options] { return RunGenerate(*options); });
}

}  // namespace bitfetch
