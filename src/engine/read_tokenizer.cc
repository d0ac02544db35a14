// SPDX-License-Identifier: Apache-2.0
#include "engine/read_tokenizer.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

std::string Key(std::string_view name) { return fmt::format("{}{}", kPrefix, name); }

// The file's own kind of tokenizer, or an error for those that are not byte-level BPE.
Status CheckKind(const GgufReader& file) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string_view kind, file.Get<std::string_view>(Key("model")));
  if (kind == "gpt2") return {};
  return Fail("{}: tokenizer '{}' is not supported: only byte-level BPE ('gpt2') is", file.path(),
              Printable(kind));
}

Result<std::string> PreTokenizer(const GgufReader& file) {
  if (file.Has(Key("pre"))) {
    BITFETCH_ASSIGN_OR_RETURN(const std::string_view pre, file.Get<std::string_view>(Key("pre")));
    return std::string(pre);
  }
  Warn("{}: {} is missing: taking llama-bpe", file.path(), Key("pre"));
  return "llama-bpe";
}

// -1 where there is none.
Result<int> SpecialToken(const GgufReader& file, std::string_view name, size_t tokens) {
  if (!file.Has(Key(name))) return -1;
  BITFETCH_ASSIGN_OR_RETURN(const int64_t id, file.Get<int64_t>(Key(name)));
  if (id >= 0 && id < static_cast<int64_t>(tokens)) return static_cast<int>(id);
  Warn("{}: {} is {}, but there are {} tokens: taking none", file.path(), Key(name), id, tokens);
  return -1;
}

Result<std::vector<std::string>> Strings(const GgufReader& file, std::string_view name) {
  BITFETCH_ASSIGN_OR_RETURN(const auto views, file.GetArray<std::string_view>(Key(name)));
  return std::vector<std::string>(views.begin(), views.end());
}

}  // namespace

Result<Tokenizer> ReadTokenizer(const GgufReader& file) {
  BITFETCH_RETURN_IF_ERROR(CheckKind(file));
  Vocabulary vocabulary;
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.tokens, Strings(file, "tokens"));
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.merges, Strings(file, "merges"));
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.pre, PreTokenizer(file));
  if (file.Has(Key("token_type"))) {
    BITFETCH_ASSIGN_OR_RETURN(const auto types, file.GetArray<int64_t>(Key("token_type")));
    for (const int64_t type : types) {
      if (type < kUndefinedToken || type > kByteToken) {
        return Fail("{}: {} has type {}: there are 0 to 6", file.path(), Key("token_type"), type);
      }
      vocabulary.types.push_back(static_cast<int>(type));
    }
  }
  for (const auto& [name, id] :
       {std::pair("bos_token_id", &vocabulary.bos), std::pair("eos_token_id", &vocabulary.eos),
        std::pair("eot_token_id", &vocabulary.eot), std::pair("eom_token_id", &vocabulary.eom)}) {
    BITFETCH_ASSIGN_OR_RETURN(*id, SpecialToken(file, name, vocabulary.tokens.size()));
  }
  // Every model of this kind was trained with BOS in front, and the published 2B4T file does not
  // say so.
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.add_bos,
                            file.Get<bool>(Key("add_bos_token"), vocabulary.bos >= 0));
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.add_eos, file.Get<bool>(Key("add_eos_token"), false));
  return Tokenizer::Create(vocabulary).map_error([&](const Error& error) {
    return Error{fmt::format("{}: {}", file.path(), error.message)};
  });
}

Result<Tokenizer> ReadTokenizerFor(const GgufReader& file, int64_t model_vocab) {
  BITFETCH_ASSIGN_OR_RETURN(Tokenizer tokenizer, ReadTokenizer(file));
  if (tokenizer.size() != model_vocab) {
    return Fail("{}: the tokenizer has {} tokens, the model {}", file.path(), tokenizer.size(),
                model_vocab);
  }
  return tokenizer;
}

}  // namespace bitfetch
