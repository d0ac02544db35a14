// SPDX-License-Identifier: Apache-2.0
#include "text/pretokenizer.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/printable.h"

namespace bitfetch {
namespace {

// Character classes without their brackets. What Unicode 15 and 16 added to the letters and numbers
// is spelt out.
#define LETTER                                                                                        \
  R"(\p{L}\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65})" \
  R"(\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b})"          \
  R"(\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02})"            \
  R"(\x{11f04}-\x{11f10}\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa})"          \
  R"(\x{16100}-\x{1611d}\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a})"           \
  R"(\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739})"                    \
  R"(\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"
#define NUMBER                                                                                         \
  R"(\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59})"               \
  R"(\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9})" \
  R"(\x{1e5f1}-\x{1e5fa})"
// The property White_Space, without and with the line ends that Llama-3's pattern treats apart.
#define SPACE_IN_LINE \
  R"(\t\x0b\x0c \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})"
#define SPACE SPACE_IN_LINE R"(\r\n)"

// A pattern as the originals have it, and as we have it: the same words, without backtracking.
struct Pattern {
  std::string_view original;
  const char* compiled;
};

// `\s*[\r\n]+` goes up to the last line end in a run of spaces.
#define LLAMA_ORIGINAL(DIGITS)                                            \
  R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" DIGITS \
  R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define LLAMA_COMPILED(DIGITS)                       \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)"                     \
  "|[^\\r\\n" LETTER NUMBER "]?[" LETTER             \
  "]++"                                              \
  "|[" NUMBER "]" DIGITS "| ?[^" SPACE LETTER NUMBER \
  "]++[\\r\\n]*+"                                    \
  "|(?:[" SPACE_IN_LINE                              \
  "]*+[\\r\\n]++)++"                                 \
  "|[" SPACE "]+(?![^" SPACE                         \
  "])"                                               \
  "|[" SPACE "]++"
constexpr Pattern kLlama3 = {LLAMA_ORIGINAL("{1,3}"), LLAMA_COMPILED("{1,3}")};
constexpr Pattern kQwen2 = {LLAMA_ORIGINAL(""), LLAMA_COMPILED("")};

constexpr Pattern kGpt2 = {Pretokenizer::kGpt2Pattern,
                           "'s|'t|'re|'ve|'m|'ll|'d"
                           "| ?[" LETTER
                           "]++"
                           "| ?[" NUMBER
                           "]++"
                           "| ?[^" SPACE LETTER NUMBER
                           "]++"
                           "|[" SPACE "]+(?![^" SPACE
                           "])"
                           "|[" SPACE "]++"};

struct KnownPretokenizer {
  std::string_view name;
  const Pattern& pattern;
  bool whole_words_first = false;
  bool normal_form = false;
};
constexpr KnownPretokenizer kKnown[] = {
    {"llama-bpe", kLlama3, true},
    {"llama3", kLlama3, true},
    {"llama-v3", kLlama3, true},
    {"falcon3", kLlama3, true},
    {"falcon_e", kLlama3, true},
    {"falcon-h1", kLlama3, true},
    {"pixtral", kLlama3, true},
    {"midm-2.0", kLlama3, true},
    {"lfm2", kLlama3, true},
    {"jina-v5-nano", kLlama3, true},
    {"smaug-bpe", kLlama3},
    {"dbrx", kLlama3},
    {"qwen2", kQwen2, false, true},
    {"deepseek-r1-qwen", kQwen2, false, true},
    {"megrez", kQwen2, false, true},
    {"f2llmv2", kQwen2, false, true},
    {"gpt-2", kGpt2},
    {"phi-2", kGpt2},
    {"olmo", kGpt2, false, true},
    {"mpt", kGpt2, false, true},
    {"jais", kGpt2},
    {"trillion", kGpt2},
    {"exaone4", kGpt2},
    {"gigachat", kGpt2},
    {"a.x-4.0", kGpt2},
    {"mellum", kGpt2},
    {"modern-bert", kGpt2},
    {"granite-docling", kGpt2},
    {"jina-es", kGpt2},
    {"jina-de", kGpt2},
    {"jina-v2-es", kGpt2},
    {"jina-v2-de", kGpt2},
};

std::string Message(int code) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};

}  // namespace

void Pretokenizer::CodeFree::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

std::optional<std::string_view> Pretokenizer::NameFor(std::string_view pattern,
                                                      bool whole_words_first, bool normal_form) {
  const auto known = std::ranges::find_if(kKnown, [&](const KnownPretokenizer& k) {
    return k.pattern.original == pattern && k.whole_words_first == whole_words_first &&
           k.normal_form == normal_form;
  });
  if (known == std::end(kKnown)) return std::nullopt;
  return known->name;
}

Result<Pretokenizer> Pretokenizer::Create(std::string_view name) {
  const auto known = std::ranges::find(kKnown, name, &KnownPretokenizer::name);
  if (known == std::end(kKnown)) {
    return Fail(
        "pre-tokenizer '{}' is not supported: only llama-bpe, qwen2, gpt-2 and other names of the "
        "same patterns are",
        Printable(name));
  }
  int error = 0;
  size_t offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(known->pattern.compiled), PCRE2_ZERO_TERMINATED,
                    PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr);
  if (!code) return Fail("the pattern of pre-tokenizer {} at {}: {}", name, offset, Message(error));
  // Where no machine code can be made, pcre2_match() interprets the pattern: slower, the same
  // words.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return Pretokenizer(code, known->whole_words_first, known->normal_form);
}

Status Pretokenizer::Split(std::string_view text, std::vector<std::string_view>* words) const {
  const std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free>> match(
      pcre2_match_data_create(1, nullptr));
  const std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free>> context(
      pcre2_match_context_create(nullptr));
  if (!match || !context) return Fail("out of memory while splitting a text into words");
  constexpr uint32_t kNoLimit = std::numeric_limits<uint32_t>::max();
  pcre2_set_match_limit(context.get(), kNoLimit);
  pcre2_set_depth_limit(context.get(), kNoLimit);
  pcre2_set_heap_limit(context.get(), kNoLimit);

  const PCRE2_SPTR subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (size_t at = 0; at < text.size();) {
    // Without NO_UTF_CHECK each call would check the whole rest of the text again.
    uint32_t options = PCRE2_NO_UTF_CHECK;
    int result =
        pcre2_match(code_.get(), subject, text.size(), at, options, match.get(), context.get());
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
      options |= PCRE2_NO_JIT;
      result =
          pcre2_match(code_.get(), subject, text.size(), at, options, match.get(), context.get());
    }
    if (result < 0) return Fail("splitting a text into words at byte {}: {}", at, Message(result));
    const size_t end = pcre2_get_ovector_pointer(match.get())[1];
    words->push_back(text.substr(at, end - at));
    at = end;
  }
  return {};
}

}  // namespace bitfetch
