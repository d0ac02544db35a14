// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SYNTH_H_
#define BITFETCH_ENGINE_SYNTH_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/model.h"
#include "model/tensor_type.h"

namespace bitfetch {

// A model with random weights: of a real shape for measuring, or of a small one for tests.
struct SynthShape {
  std::string architecture = "bitnet-b1.58";  // or llama
  int64_t layers = 30;
  int64_t hidden = 2560;
  int64_t ffn = 6912;
  int64_t heads = 20;
  int64_t kv_heads = 5;
  int64_t head_dim = 128;
  int64_t vocab = 128256;
  int64_t context = 4096;
  float rope_theta = 500000.0f;
  TensorType weights = TensorType::kI2_S;   // a ternary type
  TensorType embedding = TensorType::kF16;  // F32, F16 or BF16
  bool own_output = false;                  // else the embedding is the output head too
  uint64_t seed = 1;
};

// bitnet-2b4t, falcon3-1b (llama), tiny. Errors: an unknown name, with those there are.
Result<SynthShape> SynthShapeNamed(std::string_view name);

// Writes the model to `path`, with a tokenizer of the 256 bytes, some control tokens and fillers
// where the vocabulary has room for those (260), without one otherwise. Deterministic. Costs about
// as long as writing the file. Errors: a shape that can't be a model, or the disk; then nothing is
// left behind.
Status WriteSynthModel(const std::string& path, const SynthShape& shape, const Progress& progress);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SYNTH_H_
