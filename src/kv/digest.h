// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_DIGEST_H_
#define BITFETCH_KV_DIGEST_H_

#include <sodium.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bitfetch {

// BLAKE2b with 32 bytes: as names of content, and of what was computed from it.
using Digest = std::array<uint8_t, 32>;

// Two hexadecimal digits for each byte.
std::string HexOf(const Digest& digest);

// Makes the digest of bytes that are added piece by piece.
class Digester {
 public:
  Digester();

  void Add(std::span<const std::byte> bytes);
  void Add(std::string_view text) { Add(std::as_bytes(std::span(text))); }
  void Add(const Digest& digest) { Add(std::as_bytes(std::span(digest))); }
  void Add(uint32_t number);  // the lowest byte first

  Digest Finish();  // nothing may be added then

 private:
  crypto_generichash_blake2b_state state_;
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_DIGEST_H_
