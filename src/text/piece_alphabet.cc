// SPDX-License-Identifier: Apache-2.0
#include "text/piece_alphabet.h"

#include <charconv>
#include <cstddef>
#include <system_error>

namespace bitfetch {
namespace {

std::string Replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  out.reserve(text.size());
  size_t done = 0;
  for (size_t at; (at = text.find(what, done)) != std::string_view::npos; done = at + what.size()) {
    out.append(text.substr(done, at - done)).append(with);
  }
  return out.append(text.substr(done));
}

}  // namespace

std::string ToPieceSpaces(std::string_view text) { return Replaced(text, " ", kPieceSpace); }

std::string FromPieceSpaces(std::string_view text) { return Replaced(text, kPieceSpace, " "); }

std::optional<char> ByteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || !piece.ends_with('>')) return std::nullopt;
  const char* const end = piece.data() + 5;
  unsigned char byte = 0;
  const auto [read, error] = std::from_chars(piece.data() + 3, end, byte, 16);
  if (error != std::errc() || read != end) return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace bitfetch
