// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/printable.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace bitfetch {
namespace {

Status CheckShape(const Vocabulary& vocabulary) {
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
  for (const auto& [name, id] :
       {std::pair("BOS", vocabulary.bos), std::pair("EOS", vocabulary.eos),
        std::pair("EOT", vocabulary.eot), std::pair("EOM", vocabulary.eom)}) {
    if (id < -1 || id >= static_cast<int64_t>(count)) {
      return Fail("{} token {} is out of range: the vocabulary has {} tokens", name, id, count);
    }
  }
  return {};
}

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

// Where the first part of a merge ends; npos: it has one part only.
size_t MergeSpace(std::string_view merge) { return merge.find(' ', 1); }

// Whether text becomes this token by itself, as a byte or through a merge.
bool IsWord(std::string_view token, const std::vector<std::string>& merges) {
  if (const auto bytes = FromByteAlphabet(token); bytes && bytes->size() == 1) return true;
  return std::ranges::any_of(merges, [&](std::string_view merge) {
    const size_t space = MergeSpace(merge);
    return space != std::string_view::npos && merge.size() == token.size() + 1 &&
           token.starts_with(merge.substr(0, space)) && token.ends_with(merge.substr(space + 1));
  });
}

bool IsControl(const Vocabulary& vocabulary, int id) {
  const std::string& token = vocabulary.tokens[id];
  const int type = vocabulary.types.empty() ? kNormalToken : vocabulary.types[id];
  if (type == kControlToken || type == kUnknownToken || IsMarker(token)) return true;
  const bool named_by_key =
      id == vocabulary.bos || id == vocabulary.eos || id == vocabulary.eot || id == vocabulary.eom;
  return named_by_key && (type == kUserDefinedToken || !IsWord(token, vocabulary.merges));
}

}  // namespace

Result<Tokenizer> Tokenizer::Create(const Vocabulary& vocabulary) {
  BITFETCH_RETURN_IF_ERROR(CheckShape(vocabulary));
  BITFETCH_ASSIGN_OR_RETURN(Pretokenizer pretokenizer, Pretokenizer::Create(vocabulary.pre));
  Tokenizer tokenizer(std::move(pretokenizer));
  tokenizer.pre_ = vocabulary.pre;
  tokenizer.bos_ = vocabulary.bos;
  tokenizer.eos_ = vocabulary.eos;
  tokenizer.add_bos_ = vocabulary.add_bos;
  tokenizer.add_eos_ = vocabulary.add_eos;

  BITFETCH_RETURN_IF_ERROR(tokenizer.AddTokens(vocabulary));
  BITFETCH_RETURN_IF_ERROR(tokenizer.AddMerges(vocabulary.merges));
  return tokenizer;
}

Status Tokenizer::AddTokens(const Vocabulary& vocabulary) {
  const int count = static_cast<int>(vocabulary.tokens.size());
  bytes_.resize(count);
  normal_.reserve(count);
  std::unordered_set<std::string_view> seen;
  seen.reserve(count);
  for (int id = 0; id < count; ++id) {
    const std::string& token = vocabulary.tokens[id];
    const int type = vocabulary.types.empty() ? kNormalToken : vocabulary.types[id];
    if (std::ranges::find(kEndsOfTurn, token) != std::end(kEndsOfTurn)) stop_tokens_.push_back(id);
    if (token.empty()) continue;
    if (IsControl(vocabulary, id)) {
      const bool is_first = control_.try_emplace(token, id).second;
      if (is_first && IsUtf8(token)) {
        user_defined_and_control_[static_cast<unsigned char>(token[0])].push_back({token, id});
      }
      continue;
    }
    if (type == kUnusedToken) continue;
    const bool is_first = seen.insert(token).second;
    if (type == kUserDefinedToken) {
      if (!IsUtf8(token)) return Fail("user-defined token {} is not UTF-8", id);
      bytes_[id] = token;
      if (!is_first) continue;
      for (Markers* markers : {&user_defined_, &user_defined_and_control_}) {
        (*markers)[static_cast<unsigned char>(token[0])].push_back({token, id});
      }
    } else if (std::optional<std::string> bytes = FromByteAlphabet(token)) {
      if (is_first) normal_.try_emplace(*bytes, id);
      bytes_[id] = *std::move(bytes);
    } else {  // as in the original: itself, where a model says it, but no text is read as it
      bytes_[id] = token;
    }
  }
  for (Markers* markers : {&user_defined_, &user_defined_and_control_}) {
    for (std::vector<Marker>& same_byte : *markers) {
      std::ranges::stable_sort(same_byte, std::greater(),
                               [](const Marker& m) { return m.text.size(); });
    }
  }
  for (const int id : {vocabulary.eos, vocabulary.eot, vocabulary.eom}) {
    if (id >= 0) stop_tokens_.push_back(id);
  }
  std::ranges::sort(stop_tokens_);
  stop_tokens_.erase(std::unique(stop_tokens_.begin(), stop_tokens_.end()), stop_tokens_.end());

  for (int byte = 0; byte < 256; ++byte) {
    const auto found = normal_.find(std::string(1, static_cast<char>(byte)));
    if (found == normal_.end()) return Fail("the vocabulary has no token for byte {:#04x}", byte);
    byte_ids_[byte] = found->second;
  }
  return {};
}

bool Tokenizer::MeetsControlToken(std::string_view merge) const {
  const size_t space = MergeSpace(merge);
  const std::string left(merge.substr(0, space));
  const std::string right(merge.substr(space + 1));
  return control_.contains(left) || control_.contains(right) || control_.contains(left + right);
}

Status Tokenizer::AddMerges(const std::vector<std::string>& merges) {
  merges_.Reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    const std::string_view merge = merges[i];
    const size_t space = MergeSpace(merge);
    if (space == std::string_view::npos)
      return Fail("merge {} has no space: \"{}\"", i, Printable(merge));
    const auto left = FromByteAlphabet(merge.substr(0, space));
    const auto right = FromByteAlphabet(merge.substr(space + 1));
    const auto result = left && right ? std::optional(*left + *right) : std::nullopt;
    int ids[3] = {};
    int part = 0;
    for (const auto& bytes : {left, right, result}) {
      const auto found = bytes ? normal_.find(*bytes) : normal_.end();
      if (found == normal_.end()) break;
      ids[part++] = found->second;
    }
    if (part < 3) {
      if (MeetsControlToken(merge)) continue;
      constexpr const char* kNames[] = {"left part", "right part", "result"};
      return Fail("merge {} (\"{}\"): its {} is not a token", i, Printable(merge), kNames[part]);
    }
    merges_.Add(ids[0], ids[1], ids[2]);
  }
  return {};
}

Result<std::vector<int>> Tokenizer::Encode(std::string_view text, bool add_bos, size_t* replaced,
                                           bool special) const {
  const std::string mended = ReplaceBrokenUtf8(text, replaced);
  if (mended.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Fail("a text of {} bytes is too long to be encoded at once", mended.size());
  }
  const Markers& markers = special ? user_defined_and_control_ : user_defined_;
  const std::string_view all = mended;
  const auto marker_at = [&](size_t at) -> const Marker* {
    const std::vector<Marker>& candidates = markers[static_cast<unsigned char>(all[at])];
    const auto found = std::ranges::find_if(
        candidates, [&](const Marker& m) { return all.substr(at).starts_with(m.text); });
    return found == candidates.end() ? nullptr : &*found;
  };

  std::vector<int> ids;
  const Marker* first = all.empty() ? nullptr : marker_at(0);
  if (add_bos && bos_ >= 0 && !(first && first->id == bos_)) ids.push_back(bos_);
  size_t plain = 0;  // where what has not been encoded begins
  for (size_t at = 0; at < all.size();) {
    const Marker* marker = marker_at(at);
    if (!marker) {
      ++at;
      continue;
    }
    BITFETCH_RETURN_IF_ERROR(EncodePlain(all.substr(plain, at - plain), &ids));
    ids.push_back(marker->id);
    at += marker->text.size();
    plain = at;
  }
  BITFETCH_RETURN_IF_ERROR(EncodePlain(all.substr(plain), &ids));
  return ids;
}

void Tokenizer::EndText(std::vector<int>* ids) const {
  if (!add_eos_ || eos_ < 0 || (!ids->empty() && ids->back() == eos_)) return;
  ids->push_back(eos_);
}

Status Tokenizer::EncodePlain(std::string_view text, std::vector<int>* ids) const {
  std::vector<std::string_view> words;
  BITFETCH_RETURN_IF_ERROR(pretokenizer_.Split(text, &words));
  for (const std::string_view word : words) EncodeWord(word, ids);
  return {};
}

void Tokenizer::EncodeWord(std::string_view word, std::vector<int>* ids) const {
  if (pretokenizer_.whole_words_first()) {
    if (const auto found = normal_.find(word); found != normal_.end()) {
      ids->push_back(found->second);
      return;
    }
  }
  std::vector<int> tokens;
  tokens.reserve(word.size());
  for (const char byte : word) tokens.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
  merges_.Apply(&tokens);
  std::ranges::copy(tokens, std::back_inserter(*ids));
}

Result<std::string> Tokenizer::Decode(std::span<const int> ids) const {
  std::string bytes;
  for (const int id : ids) {
    if (id < 0 || id >= size()) {
      return Fail("token {} is out of range: the vocabulary has {} tokens", id, size());
    }
    bytes += bytes_[id];
  }
  return bytes;
}

std::optional<int> Tokenizer::ControlToken(std::string_view name) const {
  const auto found = control_.find(name);
  if (found == control_.end()) return std::nullopt;
  return found->second;
}

std::string_view Tokenizer::ControlTokenAt(std::string_view text) const {
  if (text.empty()) return {};
  for (const Marker& marker : user_defined_and_control_[static_cast<unsigned char>(text[0])]) {
    if (text.starts_with(marker.text) && control_.contains(marker.text)) return marker.text;
  }
  return {};
}

std::string_view Tokenizer::ControlName(int id) const {
  const auto found =
      std::ranges::find(control_, id, [](const auto& entry) { return entry.second; });
  return found == control_.end() ? std::string_view() : found->first;
}

}  // namespace bitfetch
