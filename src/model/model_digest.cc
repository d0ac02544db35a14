// SPDX-License-Identifier: Apache-2.0
#include "model/model_digest.h"

#include <sodium.h>

#include <algorithm>
#include <span>

namespace bitfetch {

Digest ModelDigest(const GgufReader& file) {
  constexpr size_t kPlaces = 8;
  constexpr size_t kPlaceBytes = 4096;
  crypto_generichash_blake2b_state state;
  crypto_generichash_blake2b_init(&state, nullptr, 0, sizeof(Digest));
  const auto add = [&](std::span<const std::byte> bytes) {
    crypto_generichash_blake2b_update(&state, reinterpret_cast<const uint8_t*>(bytes.data()),
                                      bytes.size());
  };
  const std::byte* tensors = file.bytes().data() + file.bytes().size();
  for (const GgufTensor& tensor : file.tensors()) tensors = std::min(tensors, tensor.data.data());
  add(file.bytes().first(tensors - file.bytes().data()));
  for (const GgufTensor& tensor : file.tensors()) {
    const size_t last = tensor.data.size() - std::min(tensor.data.size(), kPlaceBytes);
    for (size_t place = 0; place < kPlaces; ++place) {
      const size_t begin = last * place / (kPlaces - 1);
      add(tensor.data.subspan(begin, std::min(kPlaceBytes, tensor.data.size())));
    }
  }
  Digest digest;
  crypto_generichash_blake2b_final(&state, digest.data(), digest.size());
  return digest;
}

}  // namespace bitfetch
