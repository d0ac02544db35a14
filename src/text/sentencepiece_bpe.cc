// SPDX-License-Identifier: Apache-2.0
#include "text/sentencepiece_bpe.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <optional>

#include "base/utf8.h"
#include "text/piece_alphabet.h"

namespace bitfetch {
namespace {

constexpr int kNoToken = -1;

// The character that ends at `end`, which is not 0.
std::string CharacterBefore(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
  return std::string(text.substr(begin, end - begin));
}

}  // namespace

Result<std::unique_ptr<const SubwordModel>> SentencePieceBpe::Create(
    const Vocabulary& vocabulary, std::span<const TokenUse> uses) {
  std::unique_ptr<SentencePieceBpe> model(new SentencePieceBpe(vocabulary));
  BITFETCH_RETURN_IF_ERROR(model->AddWords(vocabulary, uses));
  return model;
}

Status SentencePieceBpe::AddWords(const Vocabulary& vocabulary, std::span<const TokenUse> uses) {
  const std::vector<float>& scores = vocabulary.scores;
  if (scores.size() != uses.size()) {
    return Fail("the vocabulary has {} tokens but {} scores", uses.size(), scores.size());
  }
  byte_ids_.fill(kNoToken);
  std::vector<int> pieces;
  for (size_t i = 0; i < uses.size(); ++i) {
    if (uses[i].kind != TokenUse::kWord || !uses[i].is_first) continue;
    if (std::isnan(scores[i])) return Fail("the score of token {} is not a number", i);
    const int id = static_cast<int>(i);
    if (const auto byte = ByteOfPiece(vocabulary.tokens[i])) {
      byte_ids_[static_cast<unsigned char>(*byte)] = id;
    } else {
      pieces.push_back(id);
    }
  }
  if (unknown_ == kNoToken) {
    const auto missing = std::ranges::find(byte_ids_, kNoToken);
    if (missing != byte_ids_.end()) {
      return Fail("the vocabulary has neither a token for byte {:#04x} nor an unknown token",
                  missing - byte_ids_.begin());
    }
  }

  merges_.Reserve(pieces.size());
  std::ranges::stable_sort(pieces, std::greater(), [&](int id) { return scores[id]; });
  int rank = 0;
  float score = pieces.empty() ? 0 : scores[pieces.front()];
  for (const int id : pieces) {
    if (scores[id] < score) ++rank;
    score = scores[id];
    const std::string& text = vocabulary.tokens[id];
    merges_.Add(text, id, rank);
    for (size_t at = text.find(kPieceSpace, 1); at != std::string::npos;
         at = text.find(kPieceSpace, at + 1)) {
      before_space_.insert(CharacterBefore(text, at));
    }
  }
  return {};
}

std::string SentencePieceBpe::Spelt(std::string text) const { return ToPieceSpaces(text); }

std::string SentencePieceBpe::Bytes(const std::string& token, TokenUse::Kind kind) const {
  if (kind == TokenUse::kWord) {
    if (const auto byte = ByteOfPiece(token)) return std::string(1, *byte);
  }
  return FromPieceSpaces(token);
}

Status SentencePieceBpe::Encode(std::string_view text, std::vector<int>* ids) const {
  if (text.empty()) return {};
  std::string prefixed;
  if (add_space_prefix_) text = prefixed.append(kPieceSpace).append(text);
  std::vector<int> tokens;
  for (size_t at = 0; at < text.size();) {
    tokens.clear();
    const size_t end = EndOfWord(text, at);
    while (at < end) {
      const std::string_view character = text.substr(at, NextUtf8(text.substr(at)).size);
      AppendCharacter(character, &tokens);
      at += character.size();
    }
    merges_.Apply(&tokens);
    std::ranges::copy(tokens, std::back_inserter(*ids));
  }
  return {};
}

// No piece goes across the place in front of a space, unless some piece does behind the same
// character. So words are short, and their merges are found among few.
size_t SentencePieceBpe::EndOfWord(std::string_view text, size_t begin) const {
  size_t space = begin;
  do {
    space = text.find(kPieceSpace, space + 1);
  } while (space != std::string_view::npos && before_space_.contains(CharacterBefore(text, space)));
  return std::min(space, text.size());
}

void SentencePieceBpe::AppendCharacter(std::string_view character, std::vector<int>* tokens) const {
  if (const auto id = merges_.Id(character)) {
    tokens->push_back(*id);
    return;
  }
  const auto byte_id = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (std::ranges::find(character, kNoToken, byte_id) == character.end()) {
    std::ranges::transform(character, std::back_inserter(*tokens), byte_id);
  } else if (tokens->empty() || tokens->back() != unknown_) {
    tokens->push_back(unknown_);
  }
}

}  // namespace bitfetch
