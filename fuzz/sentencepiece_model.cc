// SPDX-License-Identifier: Apache-2.0
// Any bytes as SentencePiece's tokenizer.model: an error in one line, or a vocabulary whose
// tokenizer, if it makes one, encodes and decodes.
#include "convert/sentencepiece_model.h"

#include <string_view>

#include "fuzz/check.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

void RunModel(std::string_view model) {
  const Result<Vocabulary> vocabulary = ReadSentencePieceModel(model, {});
  if (!IsSound(vocabulary)) return;
  const Result<Tokenizer> tokenizer = Tokenizer::Create(*vocabulary);
  if (!IsSound(tokenizer)) return;
  const auto ids = tokenizer->Encode("the  <s>\xff\r\n\xe2\x82\xac ", true);
  FUZZ_CHECK(ids && tokenizer->Decode(*ids));
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitfetch::RunModel({reinterpret_cast<const char*>(data), size});
  return 0;
}
