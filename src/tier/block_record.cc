// SPDX-License-Identifier: Apache-2.0
#include "tier/block_record.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace bitfetch {
namespace {

static_assert(std::endian::native == std::endian::little, "tiles and headers lie as in memory");

constexpr std::string_view kMagic = "bitfetch";
constexpr uint32_t kFormat = 1;

struct Layout {
  char magic[8];
  uint32_t format;
  uint32_t block_tokens;
  Digest model;
  Digest key;
  Digest parent;
  uint32_t tokens[kTileTokens];
  char k_type[8];
  char v_type[8];
  uint64_t block_bytes;
  char zeros[48];
  uint64_t checksum;
};
static_assert(sizeof(Layout) == kRecordHeaderBytes);

uint64_t Checksum(const Layout& header, std::span<const std::byte> block) {
  const XXH64_hash_t seed = XXH3_64bits(&header, offsetof(Layout, checksum));
  return XXH3_64bits_withSeed(block.data(), block.size(), seed);
}

Layout LayoutOf(const RecordHeader& bytes) { return std::bit_cast<Layout>(bytes); }

bool IsRecord(const Layout& header) {
  return std::string_view(header.magic, sizeof(header.magic)) == kMagic &&
         header.format == kFormat && header.block_tokens == kTileTokens;
}

Result<KvType> TypeOf(const char (&name)[8]) {
  return ParseKvType(std::string_view(name, strnlen(name, sizeof(name))));
}

}  // namespace

RecordHeader MakeRecordHeader(const BlockName& name, std::span<const std::byte> block) {
  Layout header = {};
  kMagic.copy(header.magic, sizeof(header.magic));
  header.format = kFormat;
  header.block_tokens = kTileTokens;
  header.model = name.model;
  header.key = name.key.digest;
  header.parent = name.parent.digest;
  std::ranges::copy(name.tokens, header.tokens);
  KvTypeName(name.types.k).copy(header.k_type, sizeof(header.k_type));
  KvTypeName(name.types.v).copy(header.v_type, sizeof(header.v_type));
  header.block_bytes = block.size();
  header.checksum = Checksum(header, block);
  return std::bit_cast<RecordHeader>(header);
}

Result<BlockName> ReadRecord(const RecordHeader& bytes, std::span<const std::byte> block) {
  const Layout header = LayoutOf(bytes);
  if (!IsRecord(header)) return Fail("it is no record of this format");
  if (header.block_bytes != block.size()) {
    return Fail("it has {} bytes of KV where it says {}", block.size(), header.block_bytes);
  }
  if (header.checksum != Checksum(header, block)) return Fail("its checksum is wrong");
  BlockName name{
      .key = {header.key}, .parent = {header.parent}, .model = header.model, .types = {}};
  std::ranges::copy(header.tokens, name.tokens.begin());
  if (ChildKey(name.parent, name.tokens) != name.key) return Fail("its key is not its tokens'");
  BITFETCH_ASSIGN_OR_RETURN(name.types.k, TypeOf(header.k_type));
  BITFETCH_ASSIGN_OR_RETURN(name.types.v, TypeOf(header.v_type));
  return name;
}

Status CheckRecord(const RecordHeader& header, std::span<const std::byte> block,
                   const BlockKey& key) {
  BITFETCH_ASSIGN_OR_RETURN(const BlockName name, ReadRecord(header, block));
  if (name.key != key) return Fail("it is another block's");
  return {};
}

Status CheckRecordBytes(size_t bytes, size_t block_bytes) {
  if (bytes == kRecordHeaderBytes + block_bytes) return {};
  return Fail("it has {} bytes where {} belong", bytes, kRecordHeaderBytes + block_bytes);
}

std::optional<uint64_t> RecordBlockBytes(const RecordHeader& bytes) {
  const Layout header = LayoutOf(bytes);
  if (!IsRecord(header)) return std::nullopt;
  return header.block_bytes;
}

}  // namespace bitfetch
