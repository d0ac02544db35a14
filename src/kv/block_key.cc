// SPDX-License-Identifier: Apache-2.0
#include "kv/block_key.h"

#include <sodium.h>

#include <string>

namespace bitfetch {
namespace {

// To be raised whenever the same model and tokens would give other bytes in a block, or a key is
// made otherwise: no older record is then found.
constexpr uint32_t kFormatVersion = 1;

// In front of what is hashed, so that no root is a child.
enum class Kind : char { kRoot = 0, kChild = 1 };

class Hasher {
 public:
  explicit Hasher(Kind kind) {
    // Chooses sodium's code for this CPU, once. What there was before gives the same bits.
    [[maybe_unused]] static const int ready = sodium_init();
    crypto_generichash_blake2b_init(&state_, nullptr, 0, sizeof(Digest));
    const char first = static_cast<char>(kind);
    Add({&first, 1});
  }

  void Add(std::string_view bytes) {
    crypto_generichash_blake2b_update(&state_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                      bytes.size());
  }
  void Add(const Digest& digest) {
    crypto_generichash_blake2b_update(&state_, digest.data(), digest.size());
  }
  // The lowest byte first.
  void Add(uint32_t number) {
    uint8_t bytes[4];
    for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(number >> (8 * i));
    crypto_generichash_blake2b_update(&state_, bytes, sizeof(bytes));
  }

  BlockKey Key() {
    BlockKey key;
    crypto_generichash_blake2b_final(&state_, key.digest.data(), key.digest.size());
    return key;
  }

 private:
  crypto_generichash_blake2b_state state_;
};

}  // namespace

BlockKey RootKey(const Digest& model, KvTypes types, std::string_view salt) {
  Hasher hasher(Kind::kRoot);
  hasher.Add(kFormatVersion);
  hasher.Add(model);
  // By name, since numbers of types may change; a zero ends each, so that no part runs into the
  // next.
  for (const KvType type : {types.k, types.v}) hasher.Add(std::string(KvTypeName(type)) + '\0');
  hasher.Add(salt);
  return hasher.Key();
}

BlockKey ChildKey(const BlockKey& parent, std::span<const int, kTileTokens> tokens) {
  Hasher hasher(Kind::kChild);
  hasher.Add(parent.digest);
  for (const int token : tokens) hasher.Add(static_cast<uint32_t>(token));
  return hasher.Key();
}

}  // namespace bitfetch
