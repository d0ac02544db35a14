// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
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
    if (type < kNormalToken || type > kByteToken) {
      return Fail("token {} has type {}, which is not known", id, type);
    }
  }
  for (const auto& [name, id] :
       {std::pair("BOS", vocabulary.bos), std::pair("EOS", vocabulary.eos)}) {
    if (id < -1 || id >= static_cast<int64_t>(count)) {
      return Fail("{} token {} is out of range: the vocabulary has {} tokens", name, id, count);
    }
  }
  std::unordered_map<std::string_view, size_t> seen;
  seen.reserve(count);
  for (size_t id = 0; id < count; ++id) {
    const auto [first, is_new] = seen.try_emplace(vocabulary.tokens[id], id);
    if (!is_new)
      return Fail("tokens {} and {} are both \"{}\"", first->second, id,
                  Printable(vocabulary.tokens[id]));
  }
  return {};
}

}  // namespace

Result<Tokenizer> Tokenizer::Create(Vocabulary vocabulary) {
  BITFETCH_RETURN_IF_ERROR(CheckShape(vocabulary));
  BITFETCH_ASSIGN_OR_RETURN(Pretokenizer pretokenizer, Pretokenizer::Create(vocabulary.pre));
  Tokenizer tokenizer(std::move(pretokenizer));
  tokenizer.pre_ = vocabulary.pre;
  tokenizer.bos_ = vocabulary.bos;
  tokenizer.eos_ = vocabulary.eos;
  tokenizer.add_bos_ = vocabulary.add_bos;

  const int count = static_cast<int>(vocabulary.tokens.size());
  tokenizer.bytes_.resize(count);
  tokenizer.normal_.reserve(count);
  for (int id = 0; id < count; ++id) {
    std::string& token = vocabulary.tokens[id];
    switch (vocabulary.types.empty() ? kNormalToken : vocabulary.types[id]) {
      case kNormalToken:
      case kByteToken:
        if (std::optional<std::string> bytes = FromByteAlphabet(token)) {
          tokenizer.normal_.try_emplace(*bytes, id);
          tokenizer.bytes_[id] = *std::move(bytes);
        } else {  // as in the original: itself, where a model says it, but no text is read as it
          tokenizer.bytes_[id] = std::move(token);
        }
        break;
      case kControlToken:
        tokenizer.control_.try_emplace(std::move(token), id);
        break;
      case kUserDefinedToken:
        if (token.empty()) return Fail("user-defined token {} is empty", id);
        if (!IsUtf8(token)) return Fail("user-defined token {} is not UTF-8", id);
        tokenizer.user_defined_[static_cast<unsigned char>(token[0])].push_back(id);
        tokenizer.bytes_[id] = std::move(token);
        break;
      default:
        break;
    }
  }
  for (std::vector<int>& ids : tokenizer.user_defined_) {
    std::ranges::sort(ids, std::greater(), [&](int id) { return tokenizer.bytes_[id].size(); });
  }

  for (int byte = 0; byte < 256; ++byte) {
    const auto found = tokenizer.normal_.find(std::string(1, static_cast<char>(byte)));
    if (found == tokenizer.normal_.end())
      return Fail("the vocabulary has no token for byte {:#04x}", byte);
    tokenizer.byte_ids_[byte] = found->second;
  }

  tokenizer.merges_.Reserve(vocabulary.merges.size());
  for (size_t i = 0; i < vocabulary.merges.size(); ++i) {
    const std::string_view merge = vocabulary.merges[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos)
      return Fail("merge {} has no space: \"{}\"", i, Printable(merge));
    const auto left = FromByteAlphabet(merge.substr(0, space));
    const auto right = FromByteAlphabet(merge.substr(space + 1));
    const auto result = left && right ? std::optional(*left + *right) : std::nullopt;
    int ids[3] = {};
    int part = 0;
    for (const auto& bytes : {left, right, result}) {
      const auto found = bytes ? tokenizer.normal_.find(*bytes) : tokenizer.normal_.end();
      if (found == tokenizer.normal_.end()) {
        constexpr const char* kNames[] = {"left part", "right part", "result"};
        return Fail("merge {} (\"{}\"): its {} is not a token", i, Printable(merge), kNames[part]);
      }
      ids[part++] = found->second;
    }
    tokenizer.merges_.Add(ids[0], ids[1], ids[2]);
  }
  return tokenizer;
}

Result<std::vector<int>> Tokenizer::Encode(std::string_view text, bool add_bos,
                                           size_t* replaced) const {
  const std::string mended = ReplaceBrokenUtf8(text, replaced);
  if (mended.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Fail("a text of {} bytes is too long to be encoded at once", mended.size());
  }
  std::vector<int> ids;
  if (add_bos && bos_ >= 0) ids.push_back(bos_);

  const std::string_view all = mended;
  size_t plain = 0;  // where what has not been encoded begins
  for (size_t at = 0; at < all.size();) {
    const std::vector<int>& candidates = user_defined_[static_cast<unsigned char>(all[at])];
    const auto found = std::ranges::find_if(
        candidates, [&](int id) { return all.substr(at).starts_with(bytes_[id]); });
    if (found == candidates.end()) {
      ++at;
      continue;
    }
    BITFETCH_RETURN_IF_ERROR(EncodePlain(all.substr(plain, at - plain), &ids));
    ids.push_back(*found);
    at += bytes_[*found].size();
    plain = at;
  }
  BITFETCH_RETURN_IF_ERROR(EncodePlain(all.substr(plain), &ids));
  return ids;
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

std::vector<int> Tokenizer::StopTokens() const {
  std::vector<int> ids;
  if (eos_ >= 0) ids.push_back(eos_);
  for (const char* name : {"<|eot_id|>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>"}) {
    if (const std::optional<int> id = ControlToken(name)) ids.push_back(*id);
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace bitfetch
