// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_TEST_PATTERNS_H_
#define BITFETCH_TEXT_TEST_PATTERNS_H_

namespace bitfetch {

// For tests: the patterns of pre-tokenizers as the originals have them.
inline constexpr char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_TEST_PATTERNS_H_
