// SPDX-License-Identifier: Apache-2.0
#include "kv/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/test_random.h"
#include "kv/quantize.h"
#include "kv/test_tiles.h"

namespace bitfetch {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();

// Floats of one kind, so that a whole group of 32 can be of it: what quantisation finds hard.
std::vector<float> Floats(int kind, size_t count, std::mt19937& random) {
  std::vector<float> floats(count);
  for (float& x : floats) {
    const uint32_t bits = random();
    const auto pick = [&](std::initializer_list<float> from) {
      return from.begin()[bits % from.size()];
    };
    switch (kind) {
      case 0:
        x = RandomFloat(random);
        break;
      case 1:  // any bits at all, NaN and infinities among them
        x = std::bit_cast<float>(bits);
        break;
      case 2:  // any magnitude
        x = std::bit_cast<float>(bits & 0xff7fffff);
        break;
      case 3:  // denormal
        x = std::bit_cast<float>(bits & 0x807fffff);
        break;
      case 4:
        x = pick({0.0f, -0.0f});
        break;
      case 5:  // both signs have the largest magnitude
        x = pick({3.0f, -3.0f, 1.0f, 0.0f});
        break;
      case 6:  // codes right at a half, for q8_0 (absmax 127) and q4_0 (8)
        x = static_cast<float>(static_cast<int>(bits % 509) - 254) / 2;
        break;
      case 7:
        x = static_cast<float>(static_cast<int>(bits % 33) - 16) / 2;
        break;
      case 8:
        x = pick({kMax, -kMax, 1e30f, -1e30f, 65504.0f, 65519.0f, 65520.0f, 1.0f});
        break;
      case 9:  // around the smallest scale whose inverse is finite, and the smallest f16
        x = std::ldexp(1.0f + static_cast<float>(bits % 7) / 8, -130 + static_cast<int>(bits % 12));
        break;
      case 10:
        x = std::ldexp(1.0f + static_cast<float>(bits % 7) / 8, -26 + static_cast<int>(bits % 12));
        break;
      case 11:  // one that is not finite, rarely
        x = bits % 61 == 0 ? pick({kInfinity, -kInfinity}) : 1.0f;
        break;
      case 12:
        x = bits % 61 == 0 ? pick({kNan, -kNan, kInfinity}) : -2.0f;
        break;
      case 13:
        x = -1.5f;  // all equal
        break;
      default:  // ties of f16 and bf16, and their neighbours
        x = std::bit_cast<float>((bits & 0xbfffe000) + (bits % 5 - 2) +
                                 (bits % 2 ? 0x1000 : 0x8000));
    }
  }
  return floats;
}
constexpr int kKinds = 15;

std::vector<KvTypes> EveryType() {
  std::vector<KvTypes> types;
  for (const KvType type : kKvTypes) types.push_back({type, type});
  types.push_back({KvType::kQ8_0, KvType::kQ4_0});
  types.push_back({KvType::kF16, KvType::kQ8_0});
  return types;
}

// Whole blocks, padding included, in whatever order the slots are written, over whatever was there.
TEST(Store, EveryIsaGivesTheBitsOfScalar) {
  std::mt19937 random(1);
  const std::vector<TokenStore>& stores = SupportedStores();
  ASSERT_EQ(stores[0].isa, Isa::kScalar);
  for (const KvTypes types : EveryType()) {
    for (const int head_dim : {16, 32, 48, 64, 96, 128, 160, 256}) {
      if (head_dim % KvDimStep(types.k) != 0 || head_dim % KvDimStep(types.v) != 0) continue;
      const KvLayout layout{.kv_heads = 2, .head_dim = head_dim, .types = types};
      std::vector<std::byte> before(layout.block_bytes());
      for (std::byte& each : before) each = static_cast<std::byte>(random());
      std::vector<std::vector<std::byte>> blocks(stores.size(), before);
      for (int step = 0; step < 4 * kKinds; ++step) {
        const auto k = Floats(step % kKinds, size_t{2} * head_dim, random);
        const auto v = Floats((step + step / kKinds) % kKinds, size_t{2} * head_dim, random);
        const int slot = static_cast<int>(random() % 16);
        for (size_t i = 0; i < stores.size(); ++i) {
          stores[i].store(layout, slot, k.data(), v.data(), blocks[i].data());
          ASSERT_TRUE(blocks[i] == blocks[0]) << IsaName(stores[i].isa) << " " << KvTypesName(types)
                                              << " " << head_dim << " kind " << step % kKinds;
        }
      }
    }
  }
}

// Every float between the neighbours of all codes, thinly, rounds the same way on every ISA: a
// group with 127 in it has 1 as its scale.
TEST(Store, EveryIsaRoundsHalfAwayFromZero) {
  const KvLayout layout{.kv_heads = 1, .head_dim = 32, .types = {KvType::kQ8_0, KvType::kQ8_0}};
  std::vector<std::byte> block(layout.block_bytes());
  const uint32_t zero = 0;
  const KvView view{layout, block.data(), 0, &zero, 16};
  for (const TokenStore& store : SupportedStores()) {
    for (int code = 0; code < 127; ++code) {
      for (const float sign : {1.0f, -1.0f}) {
        const float middle = static_cast<float>(code) + 0.5f;
        std::vector<float> x(32, 127.0f);
        x[1] = sign * std::nextafter(middle, 0.0f);
        x[2] = sign * middle;
        x[3] = sign * std::nextafter(middle, 200.0f);
        store.store(layout, 5, x.data(), x.data(), block.data());
        const auto whole = static_cast<float>(code);
        ASSERT_EQ(ReadKey(view, 5, 0, 1), sign * whole) << IsaName(store.isa);
        ASSERT_EQ(ReadKey(view, 5, 0, 2), sign * (whole + 1)) << IsaName(store.isa);
        ASSERT_EQ(ReadValue(view, 5, 0, 3), sign * (whole + 1)) << IsaName(store.isa);
      }
    }
  }
}

TEST(Store, TouchesNoOtherSlot) {
  std::mt19937 random(2);
  for (const KvTypes types : EveryType()) {
    const KvLayout layout{.kv_heads = 1, .head_dim = 96, .types = types};
    const uint32_t zero = 0;
    std::vector<std::byte> block(layout.block_bytes());
    const KvView view{layout, block.data(), 0, &zero, 16};
    for (const TokenStore& store : SupportedStores()) {
      const auto floats = Floats(0, size_t{17} * 96, random);
      for (int slot = 0; slot < 16; ++slot) {
        store.store(layout, slot, &floats[slot * 96], &floats[slot * 96], block.data());
      }
      for (int written = 0; written < 16; ++written) {
        std::vector<std::vector<float>> before;
        for (int slot = 0; slot < 16; ++slot) before.push_back(ReadToken(view, slot));
        store.store(layout, written, &floats[16 * 96], &floats[16 * 96], block.data());
        for (int slot = 0; slot < 16; ++slot) {
          if (slot == written) continue;
          ASSERT_EQ(ReadToken(view, slot), before[slot]);
        }
      }
    }
  }
}

TEST(Quantize, WhatTheFormulasLeaveOpen) {
  for (const auto quantize : {QuantizeQ8, QuantizeQ4}) {
    const int zero = quantize == QuantizeQ8 ? 0 : 8;
    uint8_t codes[32];
    std::vector<float> x(32, 1.0f);
    x[7] = kNan;
    x[9] = kInfinity;
    EXPECT_EQ(quantize(x.data(), codes), 0x7e00);
    EXPECT_TRUE(std::all_of(codes, codes + 32, [=](int code) { return code == zero; }));

    x[7] = 1.0f;
    x[9] = -kInfinity;
    std::vector<float> finite = x;
    finite[9] = -kMax;
    uint8_t finite_codes[32];
    EXPECT_EQ(quantize(x.data(), codes), quantize(finite.data(), finite_codes));
    EXPECT_TRUE(std::equal(codes, codes + 32, finite_codes));
    EXPECT_EQ(quantize(x.data(), codes) & 0x7fff, 0x7bff);  // saturated

    x.assign(32, kSmallest);
    EXPECT_EQ(quantize(x.data(), codes) & 0x7fff, 0);
    EXPECT_TRUE(std::all_of(codes, codes + 32, [=](int code) { return code == zero; }));
  }
}

// As in the references, the sign of the first of several largest values counts, and a group of
// zeros has the scale that 0 / -8 makes.
TEST(Quantize, Q4TakesItsSignFromTheFirstLargest) {
  uint8_t codes[32];
  std::vector<float> x(32, 0.0f);
  EXPECT_EQ(QuantizeQ4(x.data(), codes), 0x8000);
  x.assign(32, -0.0f);
  EXPECT_EQ(QuantizeQ4(x.data(), codes), 0x8000);
  x[3] = -8.0f;
  x[4] = 8.0f;
  EXPECT_EQ(QuantizeQ4(x.data(), codes), F32ToF16(1.0f));
  EXPECT_EQ(codes[3], 0);
  EXPECT_EQ(codes[4], 15);
  std::swap(x[3], x[4]);
  EXPECT_EQ(QuantizeQ4(x.data(), codes), F32ToF16(-1.0f));
  EXPECT_EQ(codes[3], 0);
  EXPECT_EQ(codes[4], 15);
}

}  // namespace
}  // namespace bitfetch
