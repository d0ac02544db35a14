// SPDX-License-Identifier: Apache-2.0
#include "text/normal_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitfetch {
namespace {

// Whether a character stays as it is and apart from what precedes it: then what lies before and
// behind the place in front of it can be normalised by itself. May be false of some for which that
// holds (those that have a decomposition), never true of others.
bool StandsAlone(int32_t character) {
  const auto within = [&](int32_t first, int32_t last) {
    return character >= first && character <= last;
  };
  // Cyrillic, Vietnamese, Kana, Han, syllables of Hangul: much text is of nothing else.
  if (character < 0x300 || within(0x400, 0x482) || within(0x1e00, 0x1eff) ||
      within(0x3041, 0x3096) || within(0x30a1, 0x30fa) || within(0x3400, 0x9fff) ||
      within(0xac00, 0xd7a3)) {
    return true;
  }
  if (within(0x1160, 0x11ff)) return false;  // vowels and finals of Hangul
  const utf8proc_property_t* property = utf8proc_get_property(character);
  const bool is_mark = property->category == UTF8PROC_CATEGORY_MN ||
                       property->category == UTF8PROC_CATEGORY_MC ||
                       property->category == UTF8PROC_CATEGORY_ME;
  const bool decomposes = property->decomp_type == 0 && property->decomp_seqindex != UINT16_MAX;
  return !is_mark && !decomposes;
}

size_t CharacterAt(std::string_view text, size_t at, int32_t* character) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at;
  return utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), character);
}

int CombiningClass(int32_t character) { return utf8proc_get_property(character)->combining_class; }

std::string Normalised(std::string_view text) {
  std::vector<int32_t> characters;
  for (size_t at = 0; at < text.size();) {
    int32_t character = 0;
    at += CharacterAt(text, at, &character);
    std::array<int32_t, 8> parts;  // there are at most four
    const auto count =
        utf8proc_decompose_char(character, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, nullptr);
    characters.insert(characters.end(), parts.begin(), parts.begin() + count);
  }
  // utf8proc_decompose() would order marks too, but in quadratic time.
  for (auto begin = characters.begin(); begin != characters.end();) {
    const auto end =
        std::find_if(begin, characters.end(), [](int32_t c) { return CombiningClass(c) == 0; });
    std::ranges::stable_sort(begin, end, {}, CombiningClass);
    begin = end == characters.end() ? end : end + 1;
  }
  const auto count =
      utf8proc_normalize_utf32(characters.data(), static_cast<utf8proc_ssize_t>(characters.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  std::string out;
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    std::array<utf8proc_uint8_t, 4> bytes;
    const auto size = utf8proc_encode_char(characters[i], bytes.data());
    out.append(reinterpret_cast<const char*>(bytes.data()), size);
  }
  return out;
}

}  // namespace

std::string_view ToNormalForm(std::string_view text, std::string* buffer) {
  constexpr unsigned char kFirstToLookAt =
      0xcc;  // of U+0300; continuations of a character are below
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  buffer->clear();
  size_t done = 0;  // what of the text is in the buffer
  for (size_t at = 0; at < text.size();) {
    int32_t character = 0;
    if (byte(at) < kFirstToLookAt) {
      ++at;
      continue;
    }
    const size_t size = CharacterAt(text, at, &character);
    if (StandsAlone(character)) {
      at += size;
      continue;
    }
    // From the character in front, with which this one may compose.
    size_t begin = at;
    while (begin > 0 && (byte(--begin) & 0xc0) == 0x80) continue;
    at += size;
    while (at < text.size()) {
      const size_t next = CharacterAt(text, at, &character);
      if (StandsAlone(character)) break;
      at += next;
    }
    const std::string_view piece = text.substr(begin, at - begin);
    const std::string normalised = Normalised(piece);
    if (normalised == piece) continue;
    buffer->append(text.substr(done, begin - done)).append(normalised);
    done = at;
  }
  if (done == 0) return text;
  buffer->append(text.substr(done));
  return *buffer;
}

}  // namespace bitfetch
