// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_BLOCK_KEY_H_
#define BITFETCH_KV_BLOCK_KEY_H_

#include <span>
#include <string_view>

#include "kv/digest.h"
#include "kv/tile.h"

namespace bitfetch {

// What the bytes of a full block follow from, as a name: all tokens up to its last, and what stands
// in its root. A pure function of bytes, the same in every process and on every machine; two blocks
// with one key hold the same bytes, and nobody can make a key that is another's.
struct BlockKey {
  Digest digest = {};

  friend bool operator==(const BlockKey&, const BlockKey&) = default;
};

// The key in front of a sequence's first block. `model` is the digest of all that keys and values
// are computed with; only sequences with the same `salt` share blocks: whoever cannot know it can
// neither read nor guess what is there.
BlockKey RootKey(const Digest& model, KvTypes types, std::string_view salt);

// The key of the block with these tokens behind the block, or the root, with the key `parent`.
// Costs a quarter of a microsecond or so.
BlockKey ChildKey(const BlockKey& parent, std::span<const int, kTileTokens> tokens);

}  // namespace bitfetch

#endif  // BITFETCH_KV_BLOCK_KEY_H_
