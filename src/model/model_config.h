// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_MODEL_CONFIG_H_
#define BITFETCH_MODEL_MODEL_CONFIG_H_

#include <cstdint>
#include <string>

#include "base/error.h"
#include "model/arch/architecture.h"
#include "model/gguf_reader.h"
#include "model/rope_table.h"

namespace bitfetch {

// The shape of a model, as its file says. Every number is positive, and of sane size.
struct ModelConfig {
  // The largest that are accepted: larger than any model, and products of these stay far from
  // overflow.
  static constexpr int64_t kMaxLayers = 1 << 12;
  static constexpr int64_t kMaxHeads = 1 << 12;
  static constexpr int64_t kMaxHeadDim = 1 << 12;
  // Of `hidden`, `ffn` and all heads together: a batch of 64 rows of floats stays small, and sums
  // of int8 products fit int32.
  static constexpr int64_t kMaxWidth = 1 << 18;
  static constexpr int64_t kMaxVocab = 1 << 24;
  static constexpr int64_t kMaxContext = 1 << 24;

  static constexpr int64_t kHeadDimStep = 16;  // of the KV cache's value tiles

  const Architecture* architecture = nullptr;  // never null of a file
  std::string name = {};                       // for people; may be empty
  int64_t layers = 0;
  int64_t hidden = 0;  // width of the residual stream
  int64_t ffn = 0;     // width of the feed-forward layer
  int64_t heads = 0;   // query heads, a multiple of kv_heads
  int64_t kv_heads = 0;
  int64_t head_dim = 0;  // a multiple of kHeadDimStep
  int64_t vocab = 0;     // rows of the token embedding
  int64_t context = 0;   // tokens that the model was made for
  float rope_theta = 0;
  // Every layer but each of this number has a window, and turns by a theta of its own; 0: all turn
  // alike.
  int64_t window_period = 0;
  int64_t window = 0;  // tokens; 0: none
  float window_rope_theta = 0;
  Yarn yarn = {};
  float rms_epsilon = 0;
  float embedding_scale = 1;
  bool input_norms = false;  // before every projection
};

// An error says why heads of these numbers and this size, each of them positive and within its own
// limit, make no model.
Status CheckHeads(int64_t heads, int64_t kv_heads, int64_t head_dim);

// Whether the file may hold a model for us at all. The error names its architecture if that is not
// in arch/, and else says what the reader met that it can't read.
Status CheckKind(const GgufReader& gguf);

// Errors name the file and the key: an architecture that is not in arch/, a key that is missing, of
// the wrong type or out of range, heads that don't divide, a key that asks for what the forward
// pass does not compute. A vocab_size that is neither that of the tokenizer nor of the embedding,
// which agree, is a warning.
Result<ModelConfig> ReadModelConfig(const GgufReader& gguf);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_MODEL_CONFIG_H_
