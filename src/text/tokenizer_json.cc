// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/printable.h"

namespace bitfetch {
namespace {

// The patterns that a Split has before ByteLevel, character by character, and what the
// pre-tokenizer is called.
struct KnownSplit {
  std::string_view pattern;
  std::string_view normalizer;
  bool whole_words_first;  // "ignore_merges"
  std::string_view pre;
};
constexpr std::string_view kLlama3Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr KnownSplit kSplits[] = {
    {kLlama3Split, "", true, "llama-bpe"},
    {kLlama3Split, "", false, "smaug-bpe"},
    {kQwen2Split, "NFC", false, "qwen2"},
    {"", "", false, "gpt-2"},  // ByteLevel's own
};

std::string_view TypeOf(const JsonValue* part) {
  const auto* type = part == nullptr ? nullptr : part->Find<std::string>("type");
  return type == nullptr ? std::string_view() : *type;
}

bool IsSet(const JsonValue& part, std::string_view key, bool fallback = false) {
  const auto* flag = part.Find<bool>(key);
  return flag == nullptr ? fallback : *flag;
}

// A part of the tokenizer, or those that it is a sequence of under `members`.
std::vector<const JsonValue*> Parts(const JsonValue& tokenizer, std::string_view key,
                                    std::string_view members) {
  const JsonValue* part = tokenizer.Find(key);
  if (part == nullptr) return {};
  const auto* list = part->Find<JsonValue::List>(members);
  if (TypeOf(part) != "Sequence" || list == nullptr) return {part};
  std::vector<const JsonValue*> parts;
  for (const JsonValue& each : *list) parts.push_back(&each);
  return parts;
}

Result<std::string> PreTokenizer(const JsonValue& tokenizer, bool whole_words_first) {
  const auto parts = Parts(tokenizer, "pre_tokenizer", "pretokenizers");
  const auto normalizers = Parts(tokenizer, "normalizer", "normalizers");
  if (parts.empty() || TypeOf(parts.back()) != "ByteLevel") {
    return Fail("has no byte-level pre-tokenizer: other kinds (SentencePiece's) are not read yet");
  }
  const JsonValue& byte_level = *parts.back();
  if (IsSet(byte_level, "add_prefix_space", true)) {
    return Fail("puts a space before each text, which is not supported");
  }
  std::string_view pattern;
  const bool own_pattern = IsSet(byte_level, "use_regex", true);
  const JsonValue* split = parts.front()->Find("pattern");
  const auto* regex = split == nullptr ? nullptr : split->Find<std::string>("Regex");
  const bool is_split = parts.size() == 2 && regex != nullptr && !own_pattern &&
                        TypeOf(parts.front()) == "Split" && !IsSet(*parts.front(), "invert");
  if (is_split) pattern = *regex;
  const std::string_view normalizer =
      normalizers.empty() ? std::string_view() : TypeOf(normalizers.back());
  for (const KnownSplit& known : kSplits) {
    const bool same_parts = known.pattern.empty() ? parts.size() == 1 && own_pattern : is_split;
    if (same_parts && normalizers.size() <= 1 && known.pattern == pattern &&
        known.normalizer == normalizer && known.whole_words_first == whole_words_first) {
      return std::string(known.pre);
    }
  }
  return Fail(
      "has a pre-tokenizer that is not known ({} parts, pattern '{}', normaliser '{}'): if you "
      "know what its words are, name it with --pre",
      parts.size(), Printable(pattern), Printable(normalizer));
}

Status AddTokens(const JsonValue& tokenizer, int64_t size, Vocabulary* vocabulary) {
  std::vector<std::string>& tokens = vocabulary->tokens;
  std::vector<int>& types = vocabulary->types;
  for (int64_t id = 0; id < size; ++id) tokens.push_back(fmt::format("[PAD{}]", id));
  types.assign(tokens.size(), kUnusedToken);
  const auto add = [&](const std::string& token, const JsonValue* id, TokenType type) -> Status {
    const auto* number = id == nullptr ? nullptr : id->As<int64_t>();
    if (number == nullptr || *number < 0) return Fail("token '{}' has no id", Printable(token));
    if (*number >= size) {
      return Fail("token '{}' has id {}, and the model has {} tokens", Printable(token), *number,
                  size);
    }
    if (types[*number] != kUnusedToken && tokens[*number] != token) {
      return Fail("tokens '{}' and '{}' have the same id {}", Printable(tokens[*number]),
                  Printable(token), *number);
    }
    tokens[*number] = token;
    types[*number] = type;
    return {};
  };
  const auto* vocab = tokenizer.Find("model")->Find<JsonValue::Object>("vocab");
  if (vocab == nullptr) return Fail("has no vocab");
  for (const auto& [token, id] : *vocab) BITFETCH_RETURN_IF_ERROR(add(token, &id, kNormalToken));
  const auto* added = tokenizer.Find<JsonValue::List>("added_tokens");
  if (added == nullptr) return {};
  for (const JsonValue& token : *added) {
    const auto* content = token.Find<std::string>("content");
    if (content == nullptr) return Fail("has an added token without content");
    BITFETCH_RETURN_IF_ERROR(add(*content, token.Find("id"),
                                 IsSet(token, "special") ? kControlToken : kUserDefinedToken));
  }
  return {};
}

// Each "left right", or in newer files ["left", "right"].
Status AddMerges(const JsonValue& model, Vocabulary* vocabulary) {
  const auto* merges = model.Find<JsonValue::List>("merges");
  if (merges == nullptr) return Fail("has no merges");
  for (const JsonValue& merge : *merges) {
    if (const auto* text = merge.As<std::string>()) {
      vocabulary->merges.push_back(*text);
      continue;
    }
    const auto* pair = merge.As<JsonValue::List>();
    const auto* left = pair && pair->size() == 2 ? pair->front().As<std::string>() : nullptr;
    const auto* right = left ? pair->back().As<std::string>() : nullptr;
    if (right == nullptr || std::ranges::count(*left + *right, ' ') > 0) {
      return Fail("merge {} is no pair of tokens", vocabulary->merges.size());
    }
    vocabulary->merges.push_back(fmt::format("{} {}", *left, *right));
  }
  return {};
}

int FindToken(const Vocabulary& vocabulary, std::string_view token) {
  const auto at = std::ranges::find(vocabulary.tokens, token);
  return at == vocabulary.tokens.end() ? -1 : static_cast<int>(at - vocabulary.tokens.begin());
}

// Which tokens stand around one text: [{"SpecialToken": {"id": BOS}}, {"Sequence": ...}, ...].
// False where nothing says.
Result<bool> ReadTemplate(const JsonValue& tokenizer, Vocabulary* vocabulary) {
  bool found = false;
  for (const JsonValue* part : Parts(tokenizer, "post_processor", "processors")) {
    if (TypeOf(part) == "ByteLevel") continue;
    const auto* single = part->Find<JsonValue::List>("single");
    if (TypeOf(part) != "TemplateProcessing" || single == nullptr || single->empty()) {
      return Fail("has a post-processor '{}', which is not supported", Printable(TypeOf(part)));
    }
    found = true;
    const auto read = [&](const JsonValue& piece, int* id, bool* is_added) -> Status {
      const JsonValue* special = piece.Find("SpecialToken");
      const auto* name = special == nullptr ? nullptr : special->Find<std::string>("id");
      if (name == nullptr) return {};
      *id = FindToken(*vocabulary, *name);
      *is_added = true;
      if (*id >= 0) return {};
      return Fail("its template has '{}', which is no token", Printable(*name));
    };
    BITFETCH_RETURN_IF_ERROR(read(single->front(), &vocabulary->bos, &vocabulary->add_bos));
    BITFETCH_RETURN_IF_ERROR(read(single->back(), &vocabulary->eos, &vocabulary->add_eos));
  }
  return found;
}

Status ReadBosAndEos(const JsonValue& tokenizer, const JsonValue& config, Vocabulary* vocabulary) {
  BITFETCH_ASSIGN_OR_RETURN(const bool is_said, ReadTemplate(tokenizer, vocabulary));
  for (const auto& [key, id] :
       {std::pair("bos_token", &vocabulary->bos), std::pair("eos_token", &vocabulary->eos)}) {
    const JsonValue* token = config.Find(key);
    if (token == nullptr || *id >= 0) continue;
    const auto* name = token->As<std::string>();
    if (name == nullptr) name = token->Find<std::string>("content");
    if (name != nullptr) *id = FindToken(*vocabulary, *name);
    if (*id < 0) return Fail("the {} of its configuration is no token", key);
  }
  if (!is_said) vocabulary->add_bos = vocabulary->bos >= 0 && vocabulary->pre == "llama-bpe";
  vocabulary->add_bos = IsSet(config, "add_bos_token", vocabulary->add_bos);
  vocabulary->add_eos = IsSet(config, "add_eos_token", vocabulary->add_eos);
  return {};
}

}  // namespace

Result<Vocabulary> ReadTokenizerJson(const JsonValue& tokenizer, const JsonValue& config,
                                     int64_t size, std::string_view pre) {
  const JsonValue* model = tokenizer.Find("model");
  if (model == nullptr) return Fail("is no tokenizer: it has no model");
  const std::string_view type = TypeOf(model);
  if ((type != "BPE" && !type.empty()) || IsSet(*model, "byte_fallback")) {
    return Fail("holds a tokenizer '{}'{}: only byte-level BPE is read yet", Printable(type),
                IsSet(*model, "byte_fallback") ? " with byte fallback, as SentencePiece's" : "");
  }
  Vocabulary vocabulary;
  vocabulary.pre = pre;
  if (pre.empty()) {
    BITFETCH_ASSIGN_OR_RETURN(vocabulary.pre,
                              PreTokenizer(tokenizer, IsSet(*model, "ignore_merges")));
  }
  BITFETCH_RETURN_IF_ERROR(AddTokens(tokenizer, size, &vocabulary));
  BITFETCH_RETURN_IF_ERROR(AddMerges(*model, &vocabulary));
  BITFETCH_RETURN_IF_ERROR(ReadBosAndEos(tokenizer, config, &vocabulary));
  return vocabulary;
}

}  // namespace bitfetch
