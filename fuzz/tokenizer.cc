// SPDX-License-Identifier: Apache-2.0
// Any bytes as a text: encoded and decoded they are the same, but for broken UTF-8 and what a
// tokenizer does not keep; and cut into pieces, they come out of the streams as they would in one.
#include "text/tokenizer.h"

#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "fuzz/check.h"
#include "text/normal_form.h"
#include "text/piece_alphabet.h"
#include "text/stop_strings.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

struct Fuzzed {
  Tokenizer tokenizer;
  std::string (*kept)(std::string_view text);
};

Tokenizer MakeTokenizer(Vocabulary vocabulary) {
  AddToken("<user>", kUserDefinedToken, &vocabulary);
  AddToken("<use", kUserDefinedToken, &vocabulary);
  return *Tokenizer::Create(vocabulary);
}

Tokenizer ByteLevel(const char* pre) {
  Vocabulary vocabulary = TestVocabulary();
  vocabulary.pre = pre;
  return MakeTokenizer(std::move(vocabulary));
}

Tokenizer Pieces() {
  Vocabulary vocabulary = TestPieces();
  AddToken("▁▁", kUserDefinedToken, &vocabulary);
  AddToken(">▁", kNormalToken, &vocabulary);
  vocabulary.add_space_prefix = false;
  return MakeTokenizer(std::move(vocabulary));
}

std::string All(std::string_view text) { return std::string(text); }

std::string NormalForm(std::string_view text) {
  std::string buffer;
  std::string normal(ToNormalForm(text, &buffer));
  FUZZ_CHECK(IsUtf8(normal) && ToNormalForm(normal, &buffer) == normal);
  return normal;
}

// The text up to the first stop string, from pieces of `step` bytes.
std::string Streamed(std::string_view bytes, size_t step) {
  StopStrings stops = *StopStrings::Create({"<us", "ing", "\xef\xbf\xbd\xef\xbf\xbd"});
  Utf8Stream characters;
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += step) {
    text += stops.Feed(characters.Feed(bytes.substr(at, step)));
    FUZZ_CHECK(IsUtf8(text));
  }
  text += stops.Feed(characters.Finish());
  return text + stops.Finish();
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bitfetch;  // NOLINT(google-build-using-namespace)
  static const Fuzzed fuzzed[] = {
      {ByteLevel("llama-bpe"), All},
      {ByteLevel("gpt-2"), All},
      {ByteLevel("qwen2"), NormalForm},
      {Pieces(), FromPieceSpaces},
      {*Tokenizer::Create(TestPieces()), FromPieceSpaces},  // with a space in front of the text
  };
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t replaced = 0;
  const std::string mended = ReplaceBrokenUtf8(text, &replaced);
  FUZZ_CHECK(IsUtf8(mended) && (replaced == 0) == (mended == text));
  for (const auto& [tokenizer, kept] : fuzzed) {
    size_t mended_pieces = 0;
    const auto ids = tokenizer.Encode(text, true, &mended_pieces);
    FUZZ_CHECK(ids && ids->front() == tokenizer.bos() && mended_pieces == replaced);
    const auto decoded = tokenizer.Decode(*ids);
    FUZZ_CHECK(decoded && kept(*decoded) == kept(mended));
  }
  const std::string whole = Streamed(text, size + 1);
  for (const size_t step : {1, 2, 5}) FUZZ_CHECK(Streamed(text, step) == whole);
  return 0;
}
