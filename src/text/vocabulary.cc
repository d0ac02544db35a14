// SPDX-License-Identifier: Apache-2.0
#include "text/vocabulary.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/piece_alphabet.h"

namespace bitfetch {
namespace {

constexpr std::string_view kEndsOfTurn[] = {"<|eot_id|>",   "<|eom_id|>",    "<|end_of_text|>",
                                            "<|im_end|>",   "<|endoftext|>", "<|end|>",
                                            "<end_of_turn>"};

// Whether no text is meant by a token of this name, whatever its type. With a letter inside it is
// no word that a pre-tokenizer would leave whole, as "<||>" is.
bool IsMarker(std::string_view token) {
  const auto is_within = [&](std::string_view open, std::string_view close) {
    return token.size() > open.size() + close.size() && token.starts_with(open) &&
           token.ends_with(close);
  };
  const bool has_letter = std::ranges::any_of(
      token, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  return (has_letter && (is_within("<|", "|>") || is_within(">>", "<<"))) ||
         token == "<start_of_turn>" || token == "<end_of_turn>";
}

// Whether text becomes this token by itself: as a byte, a character or through a merge. (Two pieces
// of SentencePiece's may merge to "</s>" too, so that a longer one is no sign of a word.)
bool IsWord(std::string_view token, const Vocabulary& vocabulary) {
  if (vocabulary.kind == TokenizerKind::kSentencePieceBpe) {
    return ByteOfPiece(token) || NextUtf8(token).size == token.size();
  }
  if (const auto bytes = FromByteAlphabet(token); bytes && bytes->size() == 1) return true;
  return std::ranges::any_of(vocabulary.merges, [&](std::string_view merge) {
    const size_t space = MergeSpace(merge);
    return space != std::string_view::npos && merge.size() == token.size() + 1 &&
           token.starts_with(merge.substr(0, space)) && token.ends_with(merge.substr(space + 1));
  });
}

TokenType TypeOf(const Vocabulary& vocabulary, size_t id) {
  return vocabulary.types.empty() ? kNormalToken : static_cast<TokenType>(vocabulary.types[id]);
}

bool IsControl(const Vocabulary& vocabulary, size_t id) {
  const std::string& token = vocabulary.tokens[id];
  const TokenType type = TypeOf(vocabulary, id);
  if (type == kControlToken || type == kUnknownToken || IsMarker(token)) return true;
  const int keys[] = {vocabulary.bos, vocabulary.eos, vocabulary.eot, vocabulary.eom};
  const bool named_by_key = std::ranges::find(keys, static_cast<int>(id)) != std::end(keys);
  return named_by_key && (type == kUserDefinedToken || !IsWord(token, vocabulary));
}

}  // namespace

size_t MergeSpace(std::string_view merge) { return merge.find(' ', 1); }

Status CheckVocabulary(const Vocabulary& vocabulary) {
  const size_t count = vocabulary.tokens.size();
  if (count == 0) return Fail("the vocabulary is empty");
  if (count > std::numeric_limits<int>::max()) return Fail("the vocabulary has {} tokens", count);
  if (!vocabulary.types.empty() && vocabulary.types.size() != count) {
    return Fail("the vocabulary has {} tokens but {} token types", count, vocabulary.types.size());
  }
  for (size_t id = 0; id < vocabulary.types.size(); ++id) {
    const int type = vocabulary.types[id];
    if (type < kUndefinedToken || type > kByteToken) {
      return Fail("token {} has type {}, which is not known", id, type);
    }
  }
  for (const auto& [name, id] : {std::pair("BOS", vocabulary.bos), std::pair("EOS", vocabulary.eos),
                                 std::pair("EOT", vocabulary.eot), std::pair("EOM", vocabulary.eom),
                                 std::pair("unknown", vocabulary.unknown)}) {
    if (id < -1 || id >= static_cast<int64_t>(count)) {
      return Fail("{} token {} is out of range: the vocabulary has {} tokens", name, id, count);
    }
  }
  return {};
}

std::vector<TokenUse> TokenUses(const Vocabulary& vocabulary) {
  const size_t count = vocabulary.tokens.size();
  std::vector<TokenUse> uses(count, {TokenUse::kUnused, false});
  std::unordered_set<std::string_view> texts;
  std::unordered_set<std::string_view> names;
  texts.reserve(count);
  for (size_t id = 0; id < count; ++id) {
    const std::string& token = vocabulary.tokens[id];
    if (token.empty()) continue;
    if (IsControl(vocabulary, id)) {
      uses[id] = {TokenUse::kControl, names.insert(token).second};
      continue;
    }
    const TokenType type = TypeOf(vocabulary, id);
    if (type == kUnusedToken) continue;
    uses[id] = {type == kUserDefinedToken ? TokenUse::kUserDefined : TokenUse::kWord,
                texts.insert(token).second};
  }
  return uses;
}

std::vector<int> StopTokens(const Vocabulary& vocabulary) {
  std::vector<int> ids;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (std::ranges::find(kEndsOfTurn, vocabulary.tokens[id]) != std::end(kEndsOfTurn)) {
      ids.push_back(static_cast<int>(id));
    }
  }
  for (const int id : {vocabulary.eos, vocabulary.eot, vocabulary.eom}) {
    if (id >= 0) ids.push_back(id);
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace bitfetch
