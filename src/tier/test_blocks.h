// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_TEST_BLOCKS_H_
#define BITFETCH_TIER_TEST_BLOCKS_H_

#include <cstddef>
#include <random>
#include <vector>

#include "tier/block_record.h"

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

}  // namespace bitfetch

#endif  // BITFETCH_TIER_TEST_BLOCKS_H_
