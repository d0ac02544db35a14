// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/token_logprobs.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace bitfetch {
namespace {

std::string_view NameOrBytes(const Tokenizer& tokenizer, int id) {
  const std::string_view bytes = tokenizer.TokenBytes(id);
  return bytes.empty() ? tokenizer.ControlName(id) : bytes;
}

JsonObject ChatLogprob(const Tokenizer& tokenizer, const TokenLogprob& token) {
  const std::string_view text = NameOrBytes(tokenizer, token.id);
  std::vector<Json> bytes;
  for (const char byte : text)
    bytes.push_back(ToJson(static_cast<int>(static_cast<uint8_t>(byte))));
  return JsonObject()
      .Add("token", ReplaceBrokenUtf8(text))
      .Add("logprob", token.logprob)
      .Add("bytes", bytes);
}

std::string LegacyName(const Tokenizer& tokenizer, int id) {
  const std::string_view text = NameOrBytes(tokenizer, id);
  if (IsUtf8(text)) return std::string(text);
  std::string name = "bytes:";
  for (const char byte : text) name += fmt::format("\\x{:02x}", static_cast<uint8_t>(byte));
  return name;
}

}  // namespace

Json ChatLogprobs(const Tokenizer& tokenizer, const std::vector<TokenLogprob>& logprobs) {
  std::vector<Json> list;
  for (const TokenLogprob& token : logprobs) {
    std::vector<Json> top;
    for (const TokenLogprob& other : token.top) top.push_back(ChatLogprob(tokenizer, other));
    list.push_back(ChatLogprob(tokenizer, token).Add("top_logprobs", top));
  }
  return ToJson(list);
}

void LegacyLogprobs::Add(const TokenLogprob& token) {
  AddToken(token.id);
  logprobs_.push_back(ToJson(token.logprob));
  std::string top = "{";
  const auto add = [&](int id, float logprob) {
    if (top.size() > 1) top += ',';
    top += QuoteJson(LegacyName(*tokenizer_, id)) + ':' + ToJson(logprob).text;
  };
  for (const TokenLogprob& other : token.top) add(other.id, other.logprob);
  if (std::ranges::find(token.top, token.id, &TokenLogprob::id) == token.top.end()) {
    add(token.id, token.logprob);
  }
  top_.push_back({top + '}'});
}

void LegacyLogprobs::AddFirst(int id) {
  AddToken(id);
  logprobs_.emplace_back();
  top_.emplace_back();
}

void LegacyLogprobs::AddToken(int id) {
  tokens_.push_back(ToJson(LegacyName(*tokenizer_, id)));
  offsets_.push_back(ToJson(offset_));
  // A character counts where it begins.
  offset_ += static_cast<size_t>(std::ranges::count_if(
      tokenizer_->TokenBytes(id), [](char byte) { return (byte & 0xc0) != 0x80; }));
}

Json LegacyLogprobs::Take() {
  return JsonObject()
      .Add("tokens", std::exchange(tokens_, {}))
      .Add("token_logprobs", std::exchange(logprobs_, {}))
      .Add("top_logprobs", std::exchange(top_, {}))
      .Add("text_offset", std::exchange(offsets_, {}));
}

}  // namespace bitfetch
