// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_PIECE_ALPHABET_H_
#define BITFETCH_TEXT_PIECE_ALPHABET_H_

#include <optional>
#include <string>
#include <string_view>

namespace bitfetch {

// How SentencePiece spells its pieces (https://github.com/google/sentencepiece): a space is "▁"
// (U+2581), and a byte that is no part of another piece has one of its own, "<0x00>" to "<0xFF>".
inline constexpr std::string_view kPieceSpace = "\xe2\x96\x81";

// A text with its spaces spelt so, and one with "▁" read as spaces.
std::string ToPieceSpaces(std::string_view text);
std::string FromPieceSpaces(std::string_view text);

// The byte that a piece stands for, if its name is that of a byte.
std::optional<char> ByteOfPiece(std::string_view piece);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_PIECE_ALPHABET_H_
