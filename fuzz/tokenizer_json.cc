// SPDX-License-Identifier: Apache-2.0
// Any bytes as a tokenizer.json: an error in one line, or a vocabulary whose tokenizer, if it makes
// one, encodes and decodes.
#include "convert/tokenizer_json.h"

#include <string_view>

#include "base/json_value.h"
#include "fuzz/check.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

void Run(std::string_view text) {
  const Result<JsonValue> json = ParseJson(text);
  if (!IsSound(json)) return;
  const Result<Vocabulary> vocabulary = ReadTokenizerJson(*json, *json);
  if (!IsSound(vocabulary)) return;
  const Result<Tokenizer> tokenizer = Tokenizer::Create(*vocabulary);
  if (!IsSound(tokenizer)) return;
  for (const bool special : {false, true}) {
    const auto ids =
        tokenizer->Encode("the  <s>\xff\r\n\xe2\x82\xac e\u0301 ", true, nullptr, special);
    FUZZ_CHECK(ids && tokenizer->Decode(*ids));
  }
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitfetch::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
