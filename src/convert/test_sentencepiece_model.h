// SPDX-License-Identifier: Apache-2.0
// For tests: writes SentencePiece's tokenizer.model.
#ifndef BITFETCH_CONVERT_TEST_SENTENCEPIECE_MODEL_H_
#define BITFETCH_CONVERT_TEST_SENTENCEPIECE_MODEL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "text/vocabulary.h"

namespace bitfetch {

// Fields of a protobuf message.
inline std::string ProtoVarint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string ProtoNumber(uint32_t number, uint64_t value) {
  return ProtoVarint(number << 3) + ProtoVarint(value);
}
inline std::string ProtoBytes(uint32_t number, std::string_view bytes) {
  return (ProtoVarint(number << 3 | 2) + ProtoVarint(bytes.size())).append(bytes);
}
inline std::string ProtoFloat(uint32_t number, float value) {
  return ProtoVarint(number << 3 | 5).append(reinterpret_cast<const char*>(&value), sizeof value);
}

// BPE, as Llama-2's is made.
inline std::string SentencePieceModel(const Vocabulary& vocabulary) {
  std::string model;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    std::string piece = ProtoBytes(1, vocabulary.tokens[id]) + ProtoFloat(2, vocabulary.scores[id]);
    // The usual type is left out.
    if (vocabulary.types[id] != kNormalToken) {
      piece += ProtoNumber(3, static_cast<uint64_t>(vocabulary.types[id]));
    }
    model += ProtoBytes(1, piece);
  }
  model += ProtoBytes(2, ProtoNumber(3, 2) + ProtoNumber(40, 0));
  return model +
         ProtoBytes(3, ProtoBytes(1, "identity") + ProtoBytes(2, "") +
                           ProtoNumber(3, vocabulary.add_space_prefix) + ProtoNumber(4, false));
}

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_TEST_SENTENCEPIECE_MODEL_H_
