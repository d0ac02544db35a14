// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_SYNTH_H_
#define BITFETCH_CONVERT_SYNTH_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/progress.h"
#include "model/tensor_type.h"

namespace bitfetch {

// A model with random weights: of a real shape for measuring, or of a small one for tests.
struct SynthShape {
  std::string architecture = "bitnet-b1.58";  // one of model/arch
  int64_t layers = 30;
  int64_t hidden = 2560;
  int64_t ffn = 6912;
  int64_t heads = 20;
  int64_t kv_heads = 5;
  int64_t head_dim = 128;
  int64_t vocab = 128256;
  int64_t context = 4096;
  float rope_theta = 500000.0f;
  float yarn_factor = 1;  // the part of the context that it was trained on times this is all of it
  float rms_epsilon = 1e-5f;
  TensorType weights = TensorType::kI2_S;   // a ternary type
  TensorType embedding = TensorType::kF16;  // F32, F16, BF16, or that of weights by group
  bool own_output = false;                  // else the embedding is the output head too
  bool input_norms = false;                 // before every projection; all norms are F16 then
  uint64_t seed = 1;
};

// bitnet-2b4t, falcon3-1b and others (llama), bitnet-large (1bitLLM's), bonsai-1.7b and others
// (qwen3), embedding-270m (gemma3), tiny. Errors: an unknown name, with those there are.
Result<SynthShape> SynthShapeNamed(std::string_view name);
std::string SynthShapeNames();

// An error says why no model has this shape.
Status CheckSynthShape(const SynthShape& shape);

// The least vocabulary that comes with a tokenizer: 256 bytes and some control tokens.
inline constexpr int64_t kMinSynthTokenizer = 260;

// Writes the model to `path`: random codes with a scale that keeps activations near 1, norms of 1,
// embeddings between 1/64 and 1/4 in size, or as ternary as the weights. Its tokenizer has the 256
// bytes and fillers (" w300" is token 300). bitnet and gemma3 have SentencePiece's, the others
// byte-level BPE and at the end control tokens: Llama-3's, BOS first, but for qwen3, which has
// ChatML's, no BOS and a chat template that knows of thinking. A vocabulary below
// kMinSynthTokenizer has no tokenizer. Deterministic; the types of the weights and of the embedding
// change nothing but how the same numbers are stored (BF16 rounds them). Costs about as long as
// writing the file. `progress` hears of bytes. Errors: a shape that can't be a model, the disk;
// then nothing is left behind.
Status WriteSynthModel(const std::string& path, const SynthShape& shape, const Progress& progress);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_SYNTH_H_
