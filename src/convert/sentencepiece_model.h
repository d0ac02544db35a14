// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_SENTENCEPIECE_MODEL_H_
#define BITFETCH_CONVERT_SENTENCEPIECE_MODEL_H_

#include <string_view>

#include "base/error.h"
#include "base/json_value.h"
#include "text/vocabulary.h"

namespace bitfetch {

// The vocabulary of SentencePiece's tokenizer.model, as folders have it that come without a
// tokenizer.json: BPE without a normaliser. `config` is tokenizer_config.json, or null: whether
// texts have BOS, which is usual, and EOS, and tokens that were added to the model's.
//
// Format: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto, in
// protobuf's encoding (https://protobuf.dev/programming-guides/encoding). Errors name what is
// damaged or not supported; what fits together is for Tokenizer::Create() to check.
Result<Vocabulary> ReadSentencePieceModel(std::string_view model, const JsonValue& config);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_SENTENCEPIECE_MODEL_H_
