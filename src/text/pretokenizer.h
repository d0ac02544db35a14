// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_PRETOKENIZER_H_
#define BITFETCH_TEXT_PRETOKENIZER_H_

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"

struct pcre2_real_code_8;

namespace bitfetch {

// Cuts a text into words, within which byte pairs are then merged. Each pattern is that of the
// original tokenizer, and takes time in proportion to the text, whatever the text is.
//
// Letters, numbers and spaces are Unicode's (16.0, as in the originals' current regex library), not
// PCRE2's: its `\s` has U+180E too, and Debian 12's PCRE2 10.42 knows Unicode 14.
class Pretokenizer {
 public:
  // The original pattern of "gpt-2", which Hugging Face's byte-level tokenizers have unless they
  // name another.
  static constexpr std::string_view kGpt2Pattern =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

  // The name for an original pattern with these properties (see below), if there is one.
  static std::optional<std::string_view> NameFor(std::string_view pattern, bool whole_words_first,
                                                 bool normal_form);

  // `name` as in `tokenizer.ggml.pre`: "llama-bpe", "qwen2", "gpt-2" or one of the names that
  // converters have given to the same patterns.
  static Result<Pretokenizer> Create(std::string_view name);

  // Llama-3's tokenizer, and most that share its pattern, take a word that is a token as it is,
  // before any merge (`ignore_merges`).
  bool whole_words_first() const { return whole_words_first_; }

  // Whether the text is in Unicode's normal form C before it is cut (Qwen's, GPT-NeoX's).
  bool normal_form() const { return normal_form_; }

  // Appends the words of `text`, which must be valid UTF-8: views into it that together are the
  // whole of it. Only running out of memory is an error. Any number of threads may call it at once.
  Status Split(std::string_view text, std::vector<std::string_view>* words) const;

 private:
  struct CodeFree {
    void operator()(pcre2_real_code_8* code) const;
  };
  Pretokenizer(pcre2_real_code_8* code, bool whole_words_first, bool normal_form)
      : code_(code), whole_words_first_(whole_words_first), normal_form_(normal_form) {}

  std::unique_ptr<pcre2_real_code_8, CodeFree> code_;
  bool whole_words_first_;
  bool normal_form_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_PRETOKENIZER_H_
