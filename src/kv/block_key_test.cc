// SPDX-License-Identifier: Apache-2.0
#include "kv/block_key.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <set>
#include <string>

namespace bitfetch {
namespace {

using BlockTokens = std::array<int, kTileTokens>;

constexpr KvTypes kTypes = {KvType::kF16, KvType::kQ8_0};

Digest Model() {
  Digest model;
  std::iota(model.begin(), model.end(), uint8_t{0});
  return model;
}

BlockTokens From(int first) {
  BlockTokens tokens;
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

std::string Hex(const BlockKey& key) { return HexOf(key.digest); }

// Computed with Python's hashlib from the bytes that block_key.cc describes. Records on disks and
// on other machines have these names: where one changes, kFormatVersion does.
TEST(BlockKey, IsTheSameInEveryProcessAndOnEveryMachine) {
  const BlockKey root = RootKey(Model(), kTypes, "alice");
  EXPECT_EQ(Hex(root), "de7383c67fea70456e49cd4a3933ed9f277d88101a8f6f65374d4dfac335113d");
  const BlockKey first = ChildKey(root, From(1000));
  EXPECT_EQ(Hex(first), "b6f8c9ed64b18ad7edf328c68c6b1adeaf1833e8da5e08235f1a31ef474b592f");
  BlockTokens tokens;
  for (int i = 0; i < kTileTokens; ++i) tokens[i] = i == 15 ? 0 : 128255 - i;
  EXPECT_EQ(Hex(ChildKey(first, tokens)),
            "357d5a3adb0f8c73e0cf7515c957d750b577d93f512e28437ab60fe7a99b414d");
  tokens.fill(-1);
  EXPECT_EQ(Hex(ChildKey(root, tokens)),
            "639f58b772656b4632c7aa5dd10e73f3f37b9ef95e0e37facace28236e7402bf");
  EXPECT_EQ(Hex(RootKey({}, {}, "")),
            "c39f73998452e961d97c233460b1a25ee6a224600f16d51cae1b33a0f75b3256");
}

TEST(BlockKey, EveryInputChangesIt) {
  std::set<std::string> keys;
  size_t expected = 0;
  const auto add = [&](const BlockKey& key) {
    keys.insert(Hex(key));
    ++expected;
  };
  for (const KvType k : kKvTypes) {
    for (const KvType v : kKvTypes) add(RootKey(Model(), {k, v}, "salt"));
  }
  using namespace std::string_view_literals;
  for (const auto salt : {""sv, "\0"sv, "\0\0"sv, "salt\0"sv, "Salt"sv, "sal"sv, "t"sv}) {
    add(RootKey(Model(), {}, salt));
  }
  for (size_t byte = 0; byte < sizeof(Digest); ++byte) {
    Digest model = Model();
    model[byte] ^= 0x80;
    add(RootKey(model, {}, "salt"));
  }

  const BlockKey root = RootKey(Model(), {}, "salt");
  for (size_t byte = 0; byte < sizeof(Digest); ++byte) {
    BlockKey parent = root;
    parent.digest[byte] ^= 1;
    add(ChildKey(parent, From(0)));
  }
  add(ChildKey(root, From(0)));
  for (int i = 0; i < kTileTokens; ++i) {
    for (const int bit : {0, 8, 16, 24, 31}) {
      BlockTokens tokens = From(0);
      tokens[i] ^= static_cast<int>(1u << bit);
      add(ChildKey(root, tokens));
    }
  }
  BlockTokens turned = From(0);
  std::swap(turned[3], turned[4]);
  add(ChildKey(root, turned));
  add(ChildKey(ChildKey(root, From(0)), From(0)));
  EXPECT_EQ(keys.size(), expected);
}

// What is hashed for this root and this child differs in nothing but what says which it is.
TEST(BlockKey, ARootIsNoChild) {
  const BlockKey root = RootKey({}, {KvType::kF32, KvType::kF32}, std::string(13 * 4, '\0'));
  const BlockKey version_and_model = {{1}};
  constexpr int kF32 = 'f' | '3' << 8 | '2' << 16;
  EXPECT_NE(root, ChildKey(version_and_model, BlockTokens{0, kF32, kF32}));
}

}  // namespace
}  // namespace bitfetch
