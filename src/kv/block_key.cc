// SPDX-License-Identifier: Apache-2.0
#include "kv/block_key.h"

#include <string>

namespace bitfetch {
namespace {

// To be raised whenever the same model and tokens would give other bytes in a block, or a key is
// made otherwise: no older record is then found.
constexpr uint32_t kFormatVersion = 1;

// In front of what is hashed, so that no root is a child.
enum class Kind : char { kRoot = 0, kChild = 1 };

Digester Begin(Kind kind) {
  Digester digester;
  const char first = static_cast<char>(kind);
  digester.Add(std::string_view(&first, 1));
  return digester;
}

}  // namespace

BlockKey RootKey(const Digest& model, KvTypes types, std::string_view salt) {
  Digester digester = Begin(Kind::kRoot);
  digester.Add(kFormatVersion);
  digester.Add(model);
  // By name, since numbers of types may change; a zero ends each, so that no part runs into the
  // next.
  for (const KvType type : {types.k, types.v}) digester.Add(std::string(KvTypeName(type)) + '\0');
  digester.Add(salt);
  return {digester.Finish()};
}

BlockKey ChildKey(const BlockKey& parent, std::span<const int, kTileTokens> tokens) {
  Digester digester = Begin(Kind::kChild);
  digester.Add(parent.digest);
  for (const int token : tokens) digester.Add(static_cast<uint32_t>(token));
  return {digester.Finish()};
}

}  // namespace bitfetch
