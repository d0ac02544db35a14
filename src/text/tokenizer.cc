// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/utf8.h"
#include "text/byte_level_bpe.h"
#include "text/sentencepiece_bpe.h"
#include "text/thinking.h"

namespace bitfetch {

Result<Tokenizer> Tokenizer::Create(const Vocabulary& vocabulary) {
  BITFETCH_RETURN_IF_ERROR(CheckVocabulary(vocabulary));
  const std::vector<TokenUse> uses = TokenUses(vocabulary);
  Tokenizer tokenizer;
  const bool is_sentencepiece = vocabulary.kind == TokenizerKind::kSentencePieceBpe;
  BITFETCH_ASSIGN_OR_RETURN(tokenizer.model_, is_sentencepiece
                                                  ? SentencePieceBpe::Create(vocabulary, uses)
                                                  : ByteLevelBpe::Create(vocabulary, uses));
  BITFETCH_RETURN_IF_ERROR(tokenizer.AddTokens(vocabulary, uses));
  tokenizer.stop_tokens_ = bitfetch::StopTokens(vocabulary);
  tokenizer.name_ =
      is_sentencepiece ? "SentencePiece BPE" : fmt::format("byte-level BPE ({})", vocabulary.pre);
  tokenizer.bos_ = vocabulary.bos;
  tokenizer.eos_ = vocabulary.eos;
  tokenizer.add_bos_ = vocabulary.add_bos;
  tokenizer.add_eos_ = vocabulary.add_eos;
  tokenizer.add_space_prefix_ = is_sentencepiece && vocabulary.add_space_prefix;
  return tokenizer;
}

Status Tokenizer::AddTokens(const Vocabulary& vocabulary, std::span<const TokenUse> uses) {
  bytes_.resize(uses.size());
  std::vector<Marker> user_defined;
  std::vector<Marker> control;
  for (size_t i = 0; i < uses.size(); ++i) {
    const int id = static_cast<int>(i);
    const std::string& token = vocabulary.tokens[i];
    const TokenUse use = uses[i];
    if (use.kind == TokenUse::kUnused) continue;
    if (use.kind == TokenUse::kControl) {
      if (!use.is_first) continue;
      control_.emplace(token, id);
      if (IsUtf8(token)) control.push_back({model_->Spelt(token), id});
      if (token == kThoughtsBegin || token == kThoughtsEnd) bytes_[i] = token;
      continue;
    }
    bytes_[i] = model_->Bytes(token, use.kind);
    max_token_bytes_ = std::max(max_token_bytes_, bytes_[i].size());
    if (use.kind == TokenUse::kUserDefined) {
      if (!IsUtf8(token)) return Fail("user-defined token {} is not UTF-8", id);
      if (use.is_first) user_defined.push_back({model_->Spelt(token), id});
    }
  }
  user_defined_ = Markers(user_defined);
  // A control token goes before a user-defined one of the same name.
  control.insert(control.end(), user_defined.begin(), user_defined.end());
  user_defined_and_control_ = Markers(control);
  return {};
}

Result<std::vector<int>> Tokenizer::Encode(std::string_view text, bool add_bos, size_t* replaced,
                                           bool special) const {
  const std::string spelt = model_->Spelt(ReplaceBrokenUtf8(text, replaced));
  if (spelt.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Fail("a text of {} bytes is too long to be encoded at once", spelt.size());
  }
  const Markers& markers = special ? user_defined_and_control_ : user_defined_;
  const std::string_view all = spelt;

  std::vector<int> ids;
  const Marker* first = all.empty() ? nullptr : markers.At(all, 0);
  if (add_bos && bos_ >= 0 && !(first && first->id == bos_)) ids.push_back(bos_);
  size_t plain = 0;  // where what has not been encoded begins
  for (size_t at = 0; at < all.size();) {
    const Marker* marker = markers.At(all, at);
    if (!marker) {
      ++at;
      continue;
    }
    BITFETCH_RETURN_IF_ERROR(model_->Encode(all.substr(plain, at - plain), &ids));
    ids.push_back(marker->id);
    at += marker->text.size();
    plain = at;
  }
  BITFETCH_RETURN_IF_ERROR(model_->Encode(all.substr(plain), &ids));
  return ids;
}

void Tokenizer::EndText(std::vector<int>* ids) const {
  if (!add_eos_ || eos_ < 0 || (!ids->empty() && ids->back() == eos_)) return;
  ids->push_back(eos_);
}

Result<std::string> Tokenizer::Decode(std::span<const int> ids) const {
  std::string bytes;
  for (const int id : ids) {
    if (id < 0 || id >= size()) {
      return Fail("token {} is out of range: the vocabulary has {} tokens", id, size());
    }
    bytes += bytes_[id];
  }
  if (add_space_prefix_ && bytes.starts_with(' ')) bytes.erase(0, 1);
  return bytes;
}

size_t Tokenizer::MaxTextBytes(int64_t tokens) const {
  // Normal form C takes at most so many bytes for one (three Hangul letters to a syllable, say).
  constexpr size_t kMaxShrinking = 3;
  return kMaxShrinking * max_token_bytes_ * static_cast<size_t>(tokens);
}

std::optional<int> Tokenizer::ControlToken(std::string_view name) const {
  const auto found = control_.find(name);
  if (found == control_.end()) return std::nullopt;
  return found->second;
}

std::string_view Tokenizer::ControlTokenAt(std::string_view text) const {
  const Marker* marker = text.empty() ? nullptr : user_defined_and_control_.At(text, 0);
  if (!marker) return {};
  const auto found = control_.find(marker->text);
  return found == control_.end() ? std::string_view() : found->first;
}

std::string_view Tokenizer::ControlName(int id) const {
  const auto found =
      std::ranges::find(control_, id, [](const auto& entry) { return entry.second; });
  return found == control_.end() ? std::string_view() : found->first;
}

}  // namespace bitfetch
