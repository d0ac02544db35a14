// SPDX-License-Identifier: Apache-2.0
#include "kv/digest.h"

namespace bitfetch {

std::string HexOf(const Digest& digest) {
  std::string digits(2 * digest.size() + 1, '\0');
  sodium_bin2hex(digits.data(), digits.size(), digest.data(), digest.size());
  digits.pop_back();  // the zero at its end
  return digits;
}

Digester::Digester() {
  // Chooses sodium's code for this CPU, once. What there was before gives the same bits.
  [[maybe_unused]] static const int ready = sodium_init();
  crypto_generichash_blake2b_init(&state_, nullptr, 0, sizeof(Digest));
}

void Digester::Add(std::span<const std::byte> bytes) {
  crypto_generichash_blake2b_update(&state_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                    bytes.size());
}

void Digester::Add(uint32_t number) {
  std::array<std::byte, 4> bytes;
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(number >> (8 * i));
  Add(bytes);
}

Digest Digester::Finish() {
  Digest digest;
  crypto_generichash_blake2b_final(&state_, digest.data(), digest.size());
  return digest;
}

}  // namespace bitfetch
