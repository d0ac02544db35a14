// SPDX-License-Identifier: Apache-2.0
#include "convert/tokenizer_json.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "text/piece_alphabet.h"
#include "text/pretokenizer.h"
#include "text/string_map.h"

namespace bitfetch {
namespace {

// Real ones come nowhere near these: Gemma's 262144 pieces have two million bytes, 93 at most.
constexpr int64_t kMaxTokens = int64_t{1} << 20;
constexpr size_t kMaxVocabularyBytes = size_t{1} << 23;
constexpr size_t kMaxPieceBytes = 512;

// A text, which is empty where there is none.
std::string_view Text(const std::string* text) {
  if (!text) return {};
  return *text;
}

std::string_view Type(const JsonValue& part) { return Text(part.Find<std::string>("type")); }

bool Has(const JsonValue& object, std::string_view key, std::string_view text) {
  const auto* value = object.Find<std::string>(key);
  return value && *value == text;
}

// The steps of a part of the tokenizer ("normalizer" ...), of which a sequence has many.
std::vector<const JsonValue*> Steps(const JsonValue& tokenizer, std::string_view part) {
  std::vector<const JsonValue*> steps;
  const JsonValue* all = tokenizer.Find(part);
  if (!all) return steps;
  for (const char* list : {"normalizers", "pretokenizers", "processors"}) {
    const auto* sequence = all->Find<JsonValue::List>(list);
    if (!sequence) continue;
    for (const JsonValue& step : *sequence) steps.push_back(&step);
    return steps;
  }
  steps.push_back(all);
  return steps;
}

// A merge is "left right", or a list of the two.
std::optional<std::pair<std::string_view, std::string_view>> Parts(const JsonValue& merge) {
  if (const auto* text = merge.As<std::string>()) {
    const size_t space = MergeSpace(*text);
    if (space == std::string::npos) return std::nullopt;
    const std::string_view merge_text = *text;
    return std::pair(merge_text.substr(0, space), merge_text.substr(space + 1));
  }
  const auto* list = merge.As<JsonValue::List>();
  if (!list || list->size() != 2) return std::nullopt;
  const auto* left = (*list)[0].As<std::string>();
  const auto* right = (*list)[1].As<std::string>();
  if (!left || !right) return std::nullopt;
  return std::pair<std::string_view, std::string_view>(*left, *right);
}

class Reader {
 public:
  Reader(const JsonValue& tokenizer, const JsonValue& config, std::string_view pre, int bos)
      : tokenizer_(tokenizer), config_(config), pre_(pre), bos_(bos) {}

  Result<Vocabulary> Read() {
    const JsonValue* model = tokenizer_.Find("model");
    if (!model) return Fail("there is no model");
    if (Type(*model) != "BPE") {
      return Fail("the model is of type '{}': only BPE is supported", Printable(Type(*model)));
    }
    const auto* merges = model->Find<JsonValue::List>("merges");
    if (!merges) return Fail("the model has no list of merges");

    BITFETCH_RETURN_IF_ERROR(ReadKind(*model));
    BITFETCH_RETURN_IF_ERROR(ReadTokens(*model));
    if (vocabulary_.kind == TokenizerKind::kByteLevelBpe) {
      BITFETCH_RETURN_IF_ERROR(ReadMerges(*merges));
    } else {
      BITFETCH_RETURN_IF_ERROR(ReadScores(*merges));
      BITFETCH_RETURN_IF_ERROR(CheckSplits(*model, merges->size()));
    }
    ReadEnds();
    return std::move(vocabulary_);
  }

 private:
  Status ReadKind(const JsonValue& model) {
    const auto steps = Steps(tokenizer_, "pre_tokenizer");
    const auto byte_level =
        std::ranges::find(steps, "ByteLevel", [](const JsonValue* step) { return Type(*step); });
    if (byte_level != steps.end()) return ReadPattern(model, steps, **byte_level);
    if (!model.IsTrue("byte_fallback")) {
      return Fail("the model is neither byte-level nor has it byte fallback");
    }
    vocabulary_.kind = TokenizerKind::kSentencePieceBpe;
    return ReadSpaces(steps);
  }

  Status ReadPattern(const JsonValue& model, const std::vector<const JsonValue*>& steps,
                     const JsonValue& byte_level) {
    if (!pre_.empty()) {
      vocabulary_.pre = pre_;
      return {};
    }
    bool normal_form = false;
    for (const JsonValue* step : Steps(tokenizer_, "normalizer")) {
      if (Type(*step) != "NFC")
        return Fail("normalizer '{}' is not supported", Printable(Type(*step)));
      normal_form = true;
    }
    if (byte_level.IsTrue("add_prefix_space")) {
      return Fail("a space in front of a text is not supported for byte-level BPE");
    }
    std::string_view pattern =
        byte_level.IsTrue("use_regex", true) ? Pretokenizer::kGpt2Pattern : "";
    for (const JsonValue* step : steps) {
      if (step == &byte_level) continue;
      const JsonValue* split = step->Find("pattern");
      const auto* regex = split ? split->Find<std::string>("Regex") : nullptr;
      if (Type(*step) != "Split" || !regex || !pattern.empty() ||
          !Has(*step, "behavior", "Isolated") || step->IsTrue("invert")) {
        return Fail("pre-tokenizer '{}' is not supported", Printable(Type(*step)));
      }
      pattern = *regex;
    }
    const auto name = Pretokenizer::NameFor(pattern, model.IsTrue("ignore_merges"), normal_form);
    if (!name) {
      return Fail(
          "the pre-tokenizer's pattern is not known: {}: if you know which splits texts in the "
          "same "
          "way, name it with --pre",
          Printable(pattern));
    }
    vocabulary_.pre = *name;
    return {};
  }

  Status ReadSpaces(const std::vector<const JsonValue*>& pre_tokenizers) {
    bool marked = false;
    vocabulary_.add_space_prefix = false;
    for (const JsonValue* step : Steps(tokenizer_, "normalizer")) {
      const JsonValue* pattern = step->Find("pattern");
      if (Type(*step) == "Prepend" && Has(*step, "prepend", kPieceSpace)) {
        vocabulary_.add_space_prefix = true;
      } else if (Type(*step) == "Replace" && pattern && Has(*pattern, "String", " ") &&
                 Has(*step, "content", kPieceSpace)) {
        marked = true;
      } else {
        return Fail("normalizer '{}' is not supported", Printable(Type(*step)));
      }
    }
    for (const JsonValue* step : pre_tokenizers) {
      if (Type(*step) == "Metaspace" && Has(*step, "replacement", kPieceSpace)) {
        marked = true;
        vocabulary_.add_space_prefix = step->Find("prepend_scheme")
                                           ? !Has(*step, "prepend_scheme", "never")
                                           : step->IsTrue("add_prefix_space", true);
      } else if (Type(*step) != "Split" || !marked) {  // where spaces have gone nothing is split
        return Fail("pre-tokenizer '{}' is not supported", Printable(Type(*step)));
      }
    }
    if (!marked) return Fail("spaces are not spelt as SentencePiece does");
    return {};
  }

  Status ReadTokens(const JsonValue& model) {
    const auto* tokens = model.Find<JsonValue::Object>("vocab");
    if (!tokens) return Fail("the model has no vocab");
    if (std::cmp_greater(tokens->size(), kMaxTokens)) {
      return Fail("the model has {} tokens: only {} are read", tokens->size(), kMaxTokens);
    }
    const bool has_pieces = vocabulary_.kind == TokenizerKind::kSentencePieceBpe;
    for (const auto& [token, value] : *tokens) {
      const auto* id = value.As<int64_t>();
      if (!id) return Fail("the id of token \"{}\" is not a number", Printable(token));
      const bool is_byte = has_pieces && ByteOfPiece(token);
      BITFETCH_RETURN_IF_ERROR(Add(token, *id, is_byte ? kByteToken : kNormalToken));
    }
    if (const auto* added = tokenizer_.Find<JsonValue::List>("added_tokens")) {
      for (const JsonValue& token : *added) {
        const auto* id = token.Find<int64_t>("id");
        const auto* content = token.Find<std::string>("content");
        if (!id || !content) return Fail("an added token has no id or no content");
        const bool special = token.IsTrue("special");
        BITFETCH_RETURN_IF_ERROR(Add(has_pieces && !special ? FromPieceSpaces(*content) : *content,
                                     *id, special ? kControlToken : kUserDefinedToken));
        ids_[*content] = static_cast<int>(*id);
      }
    }
    for (size_t id = 0; id < vocabulary_.tokens.size(); ++id) {
      if (vocabulary_.types[id] == kUnusedToken)
        vocabulary_.tokens[id] = fmt::format("[PAD{}]", id);
    }
    if (const auto* unknown = model.Find<std::string>("unk_token"); unknown && has_pieces) {
      vocabulary_.unknown = IdOf(*unknown);
      if (vocabulary_.unknown >= 0) vocabulary_.types[vocabulary_.unknown] = kUnknownToken;
    }
    return {};
  }

  Status Add(std::string token, int64_t id, TokenType type) {
    if (id < 0 || id >= kMaxTokens) {
      return Fail("token \"{}\" has the id {}: there may be {} tokens", Printable(token), id,
                  kMaxTokens);
    }
    if (id >= static_cast<int64_t>(vocabulary_.tokens.size())) {
      vocabulary_.tokens.resize(id + 1);
      vocabulary_.types.resize(id + 1, kUnusedToken);
    }
    const bool is_new = vocabulary_.types[id] == kUnusedToken;
    if (!is_new && type == kNormalToken) {
      return Fail("tokens \"{}\" and \"{}\" have the same id, {}",
                  Printable(vocabulary_.tokens[id]), Printable(token), id);
    }
    ids_[token] = static_cast<int>(id);
    vocabulary_.tokens[id] = std::move(token);
    vocabulary_.types[id] = type;
    return {};
  }

  Status ReadMerges(const JsonValue::List& merges) {
    for (size_t i = 0; i < merges.size(); ++i) {
      const auto parts = Parts(merges[i]);
      if (!parts) return Fail("merge {} is no pair of tokens", i);
      vocabulary_.merges.push_back(fmt::format("{} {}", parts->first, parts->second));
    }
    return {};
  }

  // The earlier a piece is made, the higher is its score.
  Status ReadScores(const JsonValue::List& merges) {
    constexpr float kNoMerge = 1;
    std::vector<float>& scores = vocabulary_.scores;
    scores.assign(vocabulary_.tokens.size(), kNoMerge);
    float last = 0;
    for (size_t i = 0; i < merges.size(); ++i) {
      const auto parts = Parts(merges[i]);
      if (!parts) return Fail("merge {} is no pair of tokens", i);
      const std::string piece = std::string(parts->first).append(parts->second);
      const int id = IdOf(piece);
      if (id < 0) return Fail("merge {} makes \"{}\", which is no token", i, Printable(piece));
      if (scores[id] == kNoMerge) {
        scores[id] = --last;
      } else if (scores[id] != last && vocabulary_.types[id] != kUserDefinedToken) {
        return Fail("merge {} makes \"{}\", which others make earlier: scores can't say that", i,
                    Printable(piece));
      }
    }
    std::ranges::replace(scores, kNoMerge, last - 1);
    return {};
  }

  // Where pieces have scores, any two of them merge that together are a third.
  Status CheckSplits(const JsonValue& model, size_t merges) const {
    size_t bytes = 0;
    size_t splits = 0;
    for (const auto& [piece, id] : *model.Find<JsonValue::Object>("vocab")) {
      // What is looked up below is the square of a piece's bytes.
      if (piece.size() > kMaxPieceBytes) {
        return Fail("token \"{}\" has {} bytes: only {} are read", Printable(piece, 40),
                    piece.size(), kMaxPieceBytes);
      }
      bytes += piece.size();
      if (bytes > kMaxVocabularyBytes) {
        return Fail("the tokens have over {} bytes", kMaxVocabularyBytes);
      }
      const std::string_view text = piece;
      for (size_t at = 1; at < text.size(); ++at) {
        if (ids_.contains(text.substr(0, at)) && ids_.contains(text.substr(at))) ++splits;
      }
    }
    if (splits == merges) return {};
    return Fail(
        "the model has {} merges, but {} pairs of its tokens are tokens: scores can't say that",
        merges, splits);
  }

  // BOS and EOS.
  void ReadEnds() {
    vocabulary_.bos = IdOf(NameOf("bos_token"));
    if (vocabulary_.bos < 0) vocabulary_.bos = bos_;
    vocabulary_.eos = IdOf(NameOf("eos_token"));
    // Whether a template has a token here. That is the one which texts get, whatever else the
    // configuration names: models of embeddings end them otherwise than answers end.
    const auto is_token = [&](const JsonValue& piece, int& id) {
      const JsonValue* special = piece.Find("SpecialToken");
      const auto* name = special ? special->Find<std::string>("id") : nullptr;
      if (!name || IdOf(*name) < 0) return false;
      id = IdOf(*name);
      return true;
    };
    bool is_said = false;
    for (const JsonValue* step : Steps(tokenizer_, "post_processor")) {
      const auto* text = step->Find<JsonValue::List>("single");
      if (!text || text->empty()) continue;
      is_said = true;
      vocabulary_.add_bos = is_token(text->front(), vocabulary_.bos);
      vocabulary_.add_eos = is_token(text->back(), vocabulary_.eos);
    }
    if (!is_said) vocabulary_.add_bos = vocabulary_.bos >= 0 && vocabulary_.pre == "llama-bpe";
    vocabulary_.add_bos = config_.IsTrue("add_bos_token", vocabulary_.add_bos);
    vocabulary_.add_eos = config_.IsTrue("add_eos_token", vocabulary_.add_eos);
  }

  // A token that the configuration names, by itself or with its properties.
  std::string_view NameOf(std::string_view key) const {
    const JsonValue* token = config_.Find(key);
    if (!token) return {};
    const auto* name = token->As<std::string>();
    return Text(name ? name : token->Find<std::string>("content"));
  }

  int IdOf(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
  }

  const JsonValue& tokenizer_;
  const JsonValue& config_;
  std::string_view pre_;
  int bos_;
  Vocabulary vocabulary_;
  StringMap<int> ids_;
};

}  // namespace

Result<Vocabulary> ReadTokenizerJson(const JsonValue& tokenizer, const JsonValue& config,
                                     std::string_view pre, int bos) {
  return Reader(tokenizer, config, pre, bos).Read();
}

}  // namespace bitfetch
