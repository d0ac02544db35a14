// SPDX-License-Identifier: Apache-2.0
#include "engine/read_tokenizer.h"

#include <algorithm>
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

Result<TokenizerKind> ReadKind(const GgufReader& file) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string_view kind, file.Get<std::string_view>(Key("model")));
  if (kind == "gpt2") return TokenizerKind::kByteLevelBpe;
  if (kind == "llama") return TokenizerKind::kSentencePieceBpe;
  return Fail(
      "{}: tokenizer '{}' is not supported: only byte-level BPE ('gpt2') and SentencePiece's "
      "('llama') are",
      file.path(), Printable(kind));
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

Status ReadByteLevel(const GgufReader& file, Vocabulary& vocabulary) {
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.merges, Strings(file, "merges"));
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.pre, PreTokenizer(file));
  return {};
}

Status ReadSentencePiece(const GgufReader& file, Vocabulary& vocabulary) {
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.scores, file.GetArray<float>(Key("scores")));
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.add_space_prefix,
                            file.Get<bool>(Key("add_space_prefix"), true));
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.unknown,
                            SpecialToken(file, "unknown_token_id", vocabulary.tokens.size()));
  if (vocabulary.unknown >= 0) return {};
  const auto typed_so = std::ranges::find(vocabulary.types, kUnknownToken);
  if (typed_so != vocabulary.types.end()) {
    vocabulary.unknown = static_cast<int>(typed_so - vocabulary.types.begin());
  }
  return {};
}

}  // namespace

Result<Tokenizer> ReadTokenizer(const GgufReader& file) {
  Vocabulary vocabulary;
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.kind, ReadKind(file));
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.tokens, Strings(file, "tokens"));
  if (file.Has(Key("token_type"))) {
    BITFETCH_ASSIGN_OR_RETURN(const auto types, file.GetArray<int64_t>(Key("token_type")));
    for (const int64_t type : types) {
      if (type < kUndefinedToken || type > kByteToken) {
        return Fail("{}: {} has type {}: there are 0 to 6", file.path(), Key("token_type"), type);
      }
      vocabulary.types.push_back(static_cast<int>(type));
    }
  }
  BITFETCH_RETURN_IF_ERROR(vocabulary.kind == TokenizerKind::kByteLevelBpe
                               ? ReadByteLevel(file, vocabulary)
                               : ReadSentencePiece(file, vocabulary));
  for (const auto& [name, id] :
       {std::pair("bos_token_id", &vocabulary.bos), std::pair("eos_token_id", &vocabulary.eos),
        std::pair("eot_token_id", &vocabulary.eot), std::pair("eom_token_id", &vocabulary.eom)}) {
    BITFETCH_ASSIGN_OR_RETURN(*id, SpecialToken(file, name, vocabulary.tokens.size()));
  }
  // Models of both kinds were trained with BOS in front, but for Qwen's, and the published 2B4T
  // file does not say so.
  const bool add_bos = vocabulary.bos >= 0 && vocabulary.pre != "qwen2";
  BITFETCH_ASSIGN_OR_RETURN(vocabulary.add_bos, file.Get<bool>(Key("add_bos_token"), add_bos));
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
