// SPDX-License-Identifier: Apache-2.0
#include "text/byte_level_bpe.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <unordered_set>

#include "base/printable.h"
#include "text/byte_alphabet.h"
#include "text/normal_form.h"

namespace bitfetch {

Result<std::unique_ptr<const SubwordModel>> ByteLevelBpe::Create(const Vocabulary& vocabulary,
                                                                 std::span<const TokenUse> uses) {
  BITFETCH_ASSIGN_OR_RETURN(Pretokenizer pretokenizer, Pretokenizer::Create(vocabulary.pre));
  std::unique_ptr<ByteLevelBpe> model(new ByteLevelBpe(std::move(pretokenizer)));
  BITFETCH_RETURN_IF_ERROR(model->AddWords(vocabulary, uses));
  BITFETCH_RETURN_IF_ERROR(model->AddMerges(vocabulary, uses));
  return model;
}

Status ByteLevelBpe::AddWords(const Vocabulary& vocabulary, std::span<const TokenUse> uses) {
  words_.reserve(uses.size());
  for (size_t id = 0; id < uses.size(); ++id) {
    if (uses[id].kind != TokenUse::kWord || !uses[id].is_first) continue;
    if (auto bytes = FromByteAlphabet(vocabulary.tokens[id])) {
      words_.try_emplace(*std::move(bytes), static_cast<int>(id));
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = words_.find(std::string(1, static_cast<char>(byte)));
    if (found == words_.end()) return Fail("the vocabulary has no token for byte {:#04x}", byte);
    byte_ids_[byte] = found->second;
  }
  return {};
}

Status ByteLevelBpe::AddMerges(const Vocabulary& vocabulary, std::span<const TokenUse> uses) {
  std::unordered_set<std::string_view> control;
  for (size_t id = 0; id < uses.size(); ++id) {
    if (uses[id].kind == TokenUse::kControl) control.insert(vocabulary.tokens[id]);
  }
  merges_.Reserve(vocabulary.merges.size());
  for (size_t i = 0; i < vocabulary.merges.size(); ++i) {
    const std::string_view merge = vocabulary.merges[i];
    const size_t space = MergeSpace(merge);
    if (space == std::string_view::npos)
      return Fail("merge {} has no space: \"{}\"", i, Printable(merge));
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    const std::string joined = std::string(left).append(right);
    const std::string_view result = joined;
    int ids[3] = {};
    int part = 0;
    for (const std::string_view token : {left, right, result}) {
      const auto bytes = FromByteAlphabet(token);
      const auto found = bytes ? words_.find(*bytes) : words_.end();
      if (found == words_.end()) break;
      ids[part++] = found->second;
    }
    if (part < 3) {
      // No text is read as a control token, nor merged on the way to one.
      if (control.contains(left) || control.contains(right) || control.contains(result)) continue;
      constexpr const char* kNames[] = {"left part", "right part", "result"};
      return Fail("merge {} (\"{}\"): its {} is not a token", i, Printable(merge), kNames[part]);
    }
    merges_.Add(ids[0], ids[1], ids[2]);
  }
  return {};
}

std::string ByteLevelBpe::Bytes(const std::string& token, TokenUse::Kind kind) const {
  if (kind == TokenUse::kUserDefined) return token;
  // A word that is not in the alphabet is, as in the original, itself where a model says it, but no
  // text is read as it.
  return FromByteAlphabet(token).value_or(token);
}

Status ByteLevelBpe::Encode(std::string_view text, std::vector<int>* ids) const {
  std::string normal;
  if (pretokenizer_.normal_form()) text = ToNormalForm(text, &normal);
  std::vector<std::string_view> words;
  BITFETCH_RETURN_IF_ERROR(pretokenizer_.Split(text, &words));
  for (const std::string_view word : words) EncodeWord(word, ids);
  return {};
}

void ByteLevelBpe::EncodeWord(std::string_view word, std::vector<int>* ids) const {
  if (pretokenizer_.whole_words_first()) {
    if (const auto found = words_.find(word); found != words_.end()) {
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

}  // namespace bitfetch
