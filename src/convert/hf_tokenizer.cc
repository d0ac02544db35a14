// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_tokenizer.h"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/log.h"
#include "convert/sentencepiece_model.h"
#include "convert/tokenizer_json.h"
#include "convert/write_tokenizer.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;  // jinja::Parse() reads no longer one
constexpr size_t kMaxModelBytes = size_t{64} << 20;

// What puts the file's name before an error.
auto About(const std::string& path) {
  return [&path](const Error& error) { return Error{fmt::format("{}: {}", path, error.message)}; };
}

Status CheckSize(size_t bytes, size_t max_bytes) {
  if (bytes <= max_bytes) return {};
  return Fail("is of {} bytes: only {} are read", bytes, max_bytes);
}

Result<MappedFile> OpenUpTo(size_t max_bytes, const std::string& path) {
  BITFETCH_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  BITFETCH_RETURN_IF_ERROR(CheckSize(file.bytes().size(), max_bytes).map_error(About(path)));
  return file;
}

std::string_view Text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// One for each token of the model.
Status FitTokens(int64_t vocab, Vocabulary& vocabulary) {
  const auto tokens = static_cast<int64_t>(vocabulary.tokens.size());
  int64_t last = tokens;
  while (last > vocab && vocabulary.types[last - 1] == kControlToken &&
         last - 1 != vocabulary.bos && last - 1 != vocabulary.eos) {
    --last;
  }
  if (last > vocab) return Fail("has {} tokens, and the model {}", tokens, vocab);
  if (tokens > vocab) {
    Warn("leaving out the control tokens from {} on, which the model does not have", vocab);
  }
  vocabulary.tokens.resize(vocab);
  vocabulary.types.resize(vocab, kUnusedToken);
  for (int64_t id = tokens; id < vocab; ++id) vocabulary.tokens[id] = fmt::format("[PAD{}]", id);
  if (!vocabulary.scores.empty()) vocabulary.scores.resize(vocab, vocabulary.scores.back());
  return {};
}

// The token that config.json has under `key`, or the first of several; -1: none.
int TokenOfModel(const JsonValue& config, std::string_view key, int64_t vocab) {
  const JsonValue* token = config.Find(key);
  const auto* list = token == nullptr ? nullptr : token->As<JsonValue::List>();
  if (list != nullptr) token = list->empty() ? nullptr : &list->front();
  const auto* id = token == nullptr ? nullptr : token->As<int64_t>();
  return id != nullptr && *id >= 0 && *id < vocab ? static_cast<int>(*id) : -1;
}

// One text, or the one of several that is the default; empty: none.
std::string ChatTemplateIn(const JsonValue& tokenizer_config) {
  if (const auto* text = tokenizer_config.Find<std::string>("chat_template")) return *text;
  if (const auto* list = tokenizer_config.Find<JsonValue::List>("chat_template")) {
    for (const JsonValue& each : *list) {
      const auto* name = each.Find<std::string>("name");
      const auto* text = each.Find<std::string>("template");
      if (name != nullptr && *name == "default" && text != nullptr) return *text;
    }
  }
  return {};
}

// A file of its own in newer folders.
Result<std::string> ReadHfChatTemplate(const std::string& folder,
                                       const JsonValue& tokenizer_config) {
  if (const std::string path = folder + "/chat_template.jinja"; Exists(path)) {
    BITFETCH_ASSIGN_OR_RETURN(const MappedFile file, OpenUpTo(kMaxTemplateBytes, path));
    return std::string(Text(file));
  }
  std::string text = ChatTemplateIn(tokenizer_config);
  if (const Status fits = CheckSize(text.size(), kMaxTemplateBytes); !fits) {
    return Fail("{}/tokenizer_config.json: its template {}", folder, fits.error().message);
  }
  return text;
}

// Newer folders have tokenizer.json, older ones of SentencePiece's nothing but tokenizer.model.
Result<Vocabulary> ReadHfVocabulary(const std::string& path, const JsonValue& tokenizer_config,
                                    const std::string& pre, int bos) {
  if (path.ends_with(".json")) {
    BITFETCH_ASSIGN_OR_RETURN(const JsonValue tokenizer, ReadJsonFile(path));
    return ReadTokenizerJson(tokenizer, tokenizer_config, pre, bos).map_error(About(path));
  }
  BITFETCH_ASSIGN_OR_RETURN(const MappedFile file, OpenUpTo(kMaxModelBytes, path));
  return ReadSentencePieceModel(Text(file), tokenizer_config).map_error(About(path));
}

}  // namespace

Status WriteHfTokenizer(const std::string& folder, const JsonValue& config, int64_t vocab,
                        const std::string& pre, GgufWriter& writer) {
  std::string path = folder + "/tokenizer.json";
  if (!Exists(path)) path = folder + "/tokenizer.model";
  if (!Exists(path)) return Fail("{}: has no tokenizer.json and no tokenizer.model", folder);
  JsonValue tokenizer_config;
  int bos = -1;
  if (const std::string config_path = folder + "/tokenizer_config.json"; Exists(config_path)) {
    BITFETCH_ASSIGN_OR_RETURN(tokenizer_config, ReadJsonFile(config_path));
  } else {
    bos = TokenOfModel(config, "bos_token_id", vocab);
  }
  BITFETCH_ASSIGN_OR_RETURN(Vocabulary vocabulary,
                            ReadHfVocabulary(path, tokenizer_config, pre, bos));
  BITFETCH_RETURN_IF_ERROR(FitTokens(vocab, vocabulary).map_error(About(path)));
  if (vocabulary.eos < 0) vocabulary.eos = TokenOfModel(config, "eos_token_id", vocab);
  // Whatever a reader would find wrong with it, before hours of work.
  BITFETCH_RETURN_IF_ERROR(Tokenizer::Create(vocabulary).map_error(About(path)));
  WriteTokenizer(vocabulary, writer);
  BITFETCH_ASSIGN_OR_RETURN(const std::string chat_template,
                            ReadHfChatTemplate(folder, tokenizer_config));
  if (!chat_template.empty()) {
    writer.Add<std::string>("tokenizer.chat_template", chat_template);
  }
  return {};
}

}  // namespace bitfetch
