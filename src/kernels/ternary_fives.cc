// SPDX-License-Identifier: Apache-2.0
#include "kernels/ternary_fives.h"

#include <algorithm>

namespace bitfetch {
namespace {

constexpr int kRun = 32;  // columns whose codes lie side by side in kFours
constexpr uint8_t kFourZeros = 0x55;

// The kNumber-th run of a pack of the five rows.
template <int kNumber>
void PackRun(const uint8_t* const (&rows)[5], uint8_t* to) {
  for (int i = 0; i < kRun; ++i) {
    int byte = 0;
    for (int n = 0; n < 5; ++n) {
      byte += kFivesFactors[n] * (rows[n][i] >> (6 - 2 * kNumber) & 3);
    }
    to[kNumber * kRun + i] = static_cast<uint8_t>(byte);
  }
}

}  // namespace

TernaryRows AsFives(const TernaryRows& fours, const uint8_t* codes) {
  TernaryRows fives = fours;
  fives.codes = codes;
  fives.row_bytes = 4 * fours.row_bytes;
  fives.packing = TernaryPacking::kFives;
  return fives;
}

void PackFives(const TernaryRows& fours, int64_t five, uint8_t* to) {
  // Rows that there are not are short: a pack of them, again and again.
  static constexpr auto kNone = [] {
    std::array<uint8_t, kRun> none{};
    none.fill(kFourZeros);
    return none;
  }();
  const auto packs = static_cast<int64_t>(fours.row_bytes) / kRun;
  for (int64_t pack = 0; pack < packs; ++pack) {
    const uint8_t* rows[5];
    for (int64_t n = 0; n < 5; ++n) {
      const int64_t row = 5 * five + n;
      rows[n] = row < fours.rows ? fours.codes + row * fours.row_bytes + pack * kRun : kNone.data();
    }
    uint8_t* const of_pack = to + pack * kTernaryPack;
    PackRun<0>(rows, of_pack);
    PackRun<1>(rows, of_pack);
    PackRun<2>(rows, of_pack);
    PackRun<3>(rows, of_pack);
  }
}

}  // namespace bitfetch
