// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_BLOCK_RECORD_H_
#define BITFETCH_TIER_BLOCK_RECORD_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "base/error.h"
#include "kv/block_key.h"
#include "kv/tile.h"

namespace bitfetch {

// What a full block of KV is, apart from its bytes. Its key follows from the parent's and the
// tokens, so that a record under another's name shows.
struct BlockName {
  BlockKey key;
  BlockKey parent;  // or the root
  std::array<int, kTileTokens> tokens = {};
  Digest model = {};  // for who looks at a store; the key stands for it as for `types`
  KvTypes types;
};

// A record is the block's bytes as they lie in memory, the same on every machine, and a header. The
// header, all numbers with the lowest byte first:
//
//   0  "bitfetch"      8  uint32 format, 1      12  uint32 tokens of a block, 16
//  16  model          48  key                   80  parent           of 32 bytes each
// 112  uint32 token ids [16]                   176  K type, V type   names, 8 bytes each
// 192  uint64 bytes of the block               200  zeros
// 248  uint64 XXH3 of the block, with that of the header before it as seed
constexpr size_t kRecordHeaderBytes = 256;
using RecordHeader = std::array<std::byte, kRecordHeaderBytes>;

// Costs a read of the block at the memory's speed.
RecordHeader MakeRecordHeader(const BlockName& name, std::span<const std::byte> block);

// What a record holds. Errors: it is no record or of another format, its length is not the block's,
// its key is not that of its tokens, a byte of it changed.
Result<BlockName> ReadRecord(const RecordHeader& header, std::span<const std::byte> block);

// The same of the record that was found under this key. Errors: it is another block's, too.
Status CheckRecord(const RecordHeader& header, std::span<const std::byte> block,
                   const BlockKey& key);

// An error if a record has not as many bytes as one of such a block.
Status CheckRecordBytes(size_t bytes, size_t block_bytes);

// The bytes of the block that a header belongs to, as it says itself; nothing: it is no record's.
std::optional<uint64_t> RecordBlockBytes(const RecordHeader& header);

}  // namespace bitfetch

#endif  // BITFETCH_TIER_BLOCK_RECORD_H_
