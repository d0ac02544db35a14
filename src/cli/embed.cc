// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/escapes.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/text_options.h"
#include "engine/embedding.h"
#include "engine/read_tokenizer.h"

namespace bitfetch {
namespace {

// Texts that are computed together.
constexpr size_t kTextsAtOnce = ForwardPass::kMaxRows;

struct EmbedArguments {
  ModelOptions model;
  TextOptions text;
  std::string json = "-";
};

// -p is one text; a file has one in each line.
std::vector<std::string_view> TextsOf(const TextOptions& options, std::string_view all) {
  if (options.text && !options.from_stdin) return {all};
  std::vector<std::string_view> texts;
  while (!all.empty()) {
    const size_t end = std::min(all.find('\n'), all.size());
    std::string_view line = all.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    texts.push_back(line);
    all.remove_prefix(std::min(end + 1, all.size()));
  }
  return texts;
}

Result<std::vector<std::vector<int>>> Encode(const Tokenizer& tokenizer, const TextOptions& from,
                                             std::span<const std::string_view> texts,
                                             int64_t context) {
  std::vector<std::vector<int>> all;
  for (const std::string_view text : texts) {
    BITFETCH_ASSIGN_OR_RETURN(std::vector<int> ids,
                              EncodeText(tokenizer, text, tokenizer.add_bos()));
    tokenizer.EndText(&ids);
    const size_t line = all.size() + 1;
    if (ids.empty()) return Fail("{}: line {} has no text", from.Name(), line);
    if (static_cast<int64_t>(ids.size()) > context) {
      return Fail("{}: the text of line {} has {} tokens, and the context holds {}", from.Name(),
                  line, ids.size(), context);
    }
    all.push_back(std::move(ids));
  }
  return all;
}

// How many of these texts the KV cache holds at once.
size_t CountTogether(std::span<const std::vector<int>> texts, int64_t context) {
  int64_t blocks = 0;
  size_t count = 0;
  while (count < std::min(texts.size(), kTextsAtOnce)) {
    blocks += BlocksFor(std::ssize(texts[count]));
    if (count > 0 && blocks > context / kTileTokens) break;
    ++count;
  }
  return count;
}

// The part of the array that these texts have, an object each, the first of which is number
// `first`.
Result<std::string> Embeddings(Engine& engine, std::span<const std::vector<int>> texts,
                               size_t first) {
  std::vector<Sequence> sequences;
  for (size_t i = 0; i < texts.size(); ++i) {
    BITFETCH_ASSIGN_OR_RETURN(Sequence sequence, engine.NewSequence());
    sequences.push_back(std::move(sequence));
  }
  std::vector<SequencePiece> pieces;
  for (size_t i = 0; i < texts.size(); ++i) {
    pieces.push_back({.sequence = &sequences[i], .tokens = texts[i]});
  }
  BITFETCH_RETURN_IF_ERROR(engine.Run(pieces));
  std::string json;
  for (size_t i = 0; i < texts.size(); ++i) {
    BITFETCH_RETURN_IF_ERROR(pieces[i].status);
    BITFETCH_ASSIGN_OR_RETURN(const std::vector<float> embedding, Embedding(sequences[i]));
    json += fmt::format("{}\n  {{\"index\": {}, \"embedding\": [{}], \"tokens\": {}}}",
                        first + i == 0 ? "[" : ",", first + i, fmt::join(embedding, ", "),
                        texts[i].size());
  }
  return json;
}

Result<int> RunEmbed(const EmbedArguments& options) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string text, ReadText(options.text));
  const std::vector<std::string_view> lines = TextsOf(options.text, text);
  if (lines.empty()) return Fail("{} has no text", options.text.Name());
  BITFETCH_ASSIGN_OR_RETURN(const OpenedSession opened, OpenSession(options.model));
  Engine& engine = opened.session->engine();
  if (!engine.model().config().input_norms) {
    Warn("the model was made to write text: its embeddings say little of what texts mean");
  }
  BITFETCH_ASSIGN_OR_RETURN(const Tokenizer tokenizer,
                            ReadTokenizerFor(engine.model().file(), engine.model().config().vocab));
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> texts,
                            Encode(tokenizer, options.text, lines, engine.context()));

  std::optional<FileWriter> writer;
  if (options.json != "-") {
    BITFETCH_ASSIGN_OR_RETURN(writer, FileWriter::Create(options.json));
  }
  ProgressLine line;
  const Progress progress = line.Percent("computing embeddings");
  // As they come, for those of many texts fill more memory than the model.
  const auto write = [&](std::string_view json) -> Status {
    line.Clear();
    return writer ? writer->Append(std::as_bytes(std::span(json))) : Print(json);
  };
  for (size_t done = 0; done < texts.size();) {
    const size_t count = CountTogether(std::span(texts).subspan(done), engine.context());
    BITFETCH_ASSIGN_OR_RETURN(const std::string json,
                              Embeddings(engine, std::span(texts).subspan(done, count), done));
    BITFETCH_RETURN_IF_ERROR(write(json));
    done += count;
    progress(static_cast<int64_t>(done), static_cast<int64_t>(texts.size()));
  }
  BITFETCH_RETURN_IF_ERROR(write("\n]\n"));
  if (writer) BITFETCH_RETURN_IF_ERROR(writer->Commit());
  return kExitOk;
}

}  // namespace

void AddEmbed(Command& program) {
  const auto options = std::make_shared<EmbedArguments>();
  Command& command = program.Add(
      "embed",
      {.usage = "-m MODEL (-p TEXT | -f FILE) [options]",
       .summary = "write the embeddings of texts, as JSON",
       .more =
           R"(The embedding of a text is what the model holds behind its last token, as a vector of length 1:
texts that mean the same have embeddings whose products are near 1. For models that were made for
it, BitNet embeddings for one; of others, of which `serve` refuses it, there is a warning. Many texts are computed together, which changes none of them.

The JSON is an array with an object for each text: its number from 0 on ("index"), the vector
("embedding") and how many tokens it was ("tokens").

example:
  bitfetch embed -m models/tiny.gguf -p "In the beginning")"});
  AddModelOptions(command, &options->model);
  AddTextOptions(command, &options->text);
  AddEscape(command, "-p", [options] { return options->text.Given(); });
  command.AddPath("--json", "FILE", "where to write (default: -, which is stdout)", &options->json);
  command.SetRun([options] { return RunEmbed(*options); });
}

}  // namespace bitfetch
