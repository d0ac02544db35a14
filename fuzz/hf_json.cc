// SPDX-License-Identifier: Apache-2.0
// Any text as the JSON of a Hugging Face folder: its configuration, and its tokenizer, which then
// reads a text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json_value.h"
#include "fuzz/check.h"
#include "model/hf_config.h"
#include "text/tokenizer_json.h"

namespace bitfetch {
namespace {

template <class T>
bool IsOneLine(const Result<T>& result) {
  FUZZ_CHECK(result || result.error().message.find('\n') == std::string::npos);
  return result.has_value();
}

void RunJson(std::string_view text) {
  const auto json = ParseJson(text);
  if (!IsOneLine(json)) return;
  const auto config = ReadHfConfig(*json);
  if (IsOneLine(config)) FUZZ_CHECK(config->head_dim > 0 && config->heads % config->kv_heads == 0);
  const auto vocabulary = ReadTokenizerJson(*json, *json, 300);
  if (!IsOneLine(vocabulary)) return;
  FUZZ_CHECK(vocabulary->tokens.size() == 300 && vocabulary->types.size() == 300);
  const auto tokenizer = Tokenizer::Create(*vocabulary);
  if (!IsOneLine(tokenizer)) return;
  const auto ids = tokenizer->Encode("It's 2024:  the <|eot_id|>\xe2\x82\xac \n", true);
  FUZZ_CHECK(ids && tokenizer->Decode(*ids));
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitfetch::RunJson({reinterpret_cast<const char*>(data), size});
  return 0;
}
