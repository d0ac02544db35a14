// SPDX-License-Identifier: Apache-2.0
#include "model/model_digest.h"

#include <algorithm>
#include <span>

namespace bitfetch {

Digest ModelDigest(const GgufReader& file) {
  constexpr size_t kPlaces = 8;
  constexpr size_t kPlaceBytes = 4096;
  Digester digester;
  const std::byte* tensors = file.bytes().data() + file.bytes().size();
  for (const GgufTensor& tensor : file.tensors()) tensors = std::min(tensors, tensor.data.data());
  digester.Add(file.bytes().first(tensors - file.bytes().data()));
  for (const GgufTensor& tensor : file.tensors()) {
    const size_t last = tensor.data.size() - std::min(tensor.data.size(), kPlaceBytes);
    for (size_t place = 0; place < kPlaces; ++place) {
      const size_t begin = last * place / (kPlaces - 1);
      digester.Add(tensor.data.subspan(begin, std::min(kPlaceBytes, tensor.data.size())));
    }
  }
  return digester.Finish();
}

}  // namespace bitfetch
