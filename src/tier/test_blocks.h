// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_TEST_BLOCKS_H_
#define BITFETCH_TIER_TEST_BLOCKS_H_

#include <cstddef>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "tier/block_store.h"

namespace bitfetch {

// For tests: a block that was never computed.
struct TestBlock {
  BlockName name;
  std::vector<std::byte> bytes;
};

// A sequence of blocks, one the parent of the next.
inline std::vector<TestBlock> TestChain(int count, size_t bytes, uint32_t seed) {
  std::mt19937 random(seed);
  BlockKey parent = RootKey({}, {}, "");
  std::vector<TestBlock> chain(count);
  for (TestBlock& block : chain) {
    block.name.types = {KvType::kF16, KvType::kQ8_0};
    for (int& token : block.name.tokens) token = static_cast<int>(random() % 1000);
    block.name.parent = parent;
    block.name.key = parent = ChildKey(parent, block.name.tokens);
    block.bytes.resize(bytes);
    for (std::byte& byte : block.bytes) byte = static_cast<std::byte>(random());
  }
  return chain;
}

// What the store reads for the block; nothing: it has it not, or not whole.
inline std::optional<std::vector<std::byte>> ReadBlock(BlockStore& store, const TestBlock& block,
                                                       Status* status = nullptr) {
  std::vector<std::byte> bytes(block.bytes.size());
  std::byte* const to = bytes.data();
  bool has_arrived = false;
  const Status read =
      store.Read({&block.name.key, 1}, {&to, 1}, bytes.size(), [&] { return has_arrived = true; });
  if (status != nullptr) *status = read;
  if (!has_arrived) return std::nullopt;
  return bytes;
}

inline std::vector<BlockKey> KeysOf(std::span<const TestBlock> blocks) {
  std::vector<BlockKey> keys;
  for (const TestBlock& block : blocks) keys.push_back(block.name.key);
  return keys;
}

}  // namespace bitfetch

#endif  // BITFETCH_TIER_TEST_BLOCKS_H_
