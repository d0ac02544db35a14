// SPDX-License-Identifier: Apache-2.0
// Five ternary codes in a byte, 1.6 bits a weight (TernaryPacking::kFives): those of five rows in
// one column. A byte of codes c0 to c4 is
//   28 * (c0 + 3 * c1) + c2 + 3 * c3 + 9 * c4.
// ggml's TQ1_0 has five codes of one row in a byte, each of which depends on all its bits. Here c2
// to c4, 27 numbers, have room for 28, so that c0 and c1 follow from the upper six bits alone, byte
// >> 2 = 7 * (c0 + 3 * c1) + rest, and the others from rest and the lower two bits: two look-ups in
// 64 bytes, for which AVX-512 and NEON have an instruction. And since all five codes meet the same
// activation, whatever is linear in them may be multiplied in their place, even the byte itself.
#ifndef BITFETCH_KERNELS_TERNARY_FIVES_H_
#define BITFETCH_KERNELS_TERNARY_FIVES_H_

#include <array>
#include <cstdint>

#include "kernels/kernels.h"

namespace bitfetch {

// What each code counts in its byte.
inline constexpr std::array<int, 5> kFivesFactors = {28, 84, 1, 3, 9};

constexpr int FiveCode(uint8_t byte, int64_t number) {
  const int first = byte / 28, rest = byte % 28;
  const std::array<int, 5> codes = {first % 3, first / 3, rest % 3, rest / 3 % 3, rest / 9};
  return codes[number];
}

// The same matrix in kFives, where `codes` are to be.
TernaryRows AsFives(const TernaryRows& fours, const uint8_t* codes);

// Writes five of its rows, number `five` of them, as [cols] bytes; rows past the last have code 1.
void PackFives(const TernaryRows& fours, int64_t five, uint8_t* to);

// A table of what is said of 0, 1, 2 ...
template <int kSize, class Entry>
constexpr std::array<uint8_t, kSize> TableOf(int entries, Entry entry) {
  std::array<uint8_t, kSize> table{};
  for (int i = 0; i < entries; ++i) table[i] = static_cast<uint8_t>(entry(i));
  return table;
}

// By byte >> 2: c0, rest << 2, c1 << 6.
inline constexpr auto kFivesUpper = TableOf<64>(
    9 * 7, [](int upper) { return upper / 7 % 3 | upper % 7 << 2 | upper / 7 / 3 << 6; });
// By rest << 2 | byte & 3, which is byte % 28: c2, c3 << 2, c4 << 4.
inline constexpr auto kFivesLower =
    TableOf<32>(27, [](int lower) { return lower % 3 | lower / 3 % 3 << 2 | lower / 9 << 4; });

// For look-ups in 16 bytes. By byte >> 4: the multiples of 28 up to there, but for zero, and the
// one that the byte may have passed beside.
inline constexpr auto kFivesBelow = TableOf<16>(16, [](int high) { return high * 16 / 28; });
inline constexpr auto kFivesNext =
    TableOf<16>(16, [](int high) { return (high * 16 / 28 + 1) * 28; });
// By byte / 28: that times 28, c0 and c1.
inline constexpr auto kFivesTimes28 = TableOf<16>(9, [](int first) { return first * 28; });
inline constexpr auto kFivesMod3 = TableOf<16>(9, [](int first) { return first % 3; });
inline constexpr auto kFivesOver3 = TableOf<16>(9, [](int first) { return first / 3; });
// The halves of kFivesLower.
inline constexpr auto kFivesLower0 = TableOf<16>(16, [](int lower) { return kFivesLower[lower]; });
inline constexpr auto kFivesLower16 =
    TableOf<16>(16, [](int lower) { return kFivesLower[16 + lower]; });

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_TERNARY_FIVES_H_
