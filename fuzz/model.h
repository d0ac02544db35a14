// SPDX-License-Identifier: Apache-2.0
// What fuzzers that run a model share.
#ifndef BITFETCH_FUZZ_MODEL_H_
#define BITFETCH_FUZZ_MODEL_H_

#include <bitfetch/bitfetch.h>

#include <cstdint>
#include <string>

#include "base/temp_dir.h"
#include "convert/synth.h"
#include "fuzz/check.h"

namespace bitfetch {

constexpr int64_t kContext = 80;
constexpr int64_t kVocab = kMinSynthTokenizer;

inline bool Succeeds(bitfetch_status status) {
  FUZZ_CHECK(status == BITFETCH_OK || *bitfetch_last_error() != 0);
  FUZZ_CHECK(status != BITFETCH_OUT_OF_MEMORY);
  return status == BITFETCH_OK;
}

// For the whole run, as opening takes milliseconds.
inline bitfetch_model* OpenModel(int64_t kv_tokens) {
  const TempDir folder;
  const std::string path = folder.Path("model.gguf");
  FUZZ_CHECK(WriteSynthModel(path,
                             {.layers = 2,
                              .hidden = 32,
                              .ffn = 32,
                              .heads = 2,
                              .kv_heads = 1,
                              .head_dim = 16,
                              .vocab = kVocab,
                              .context = kContext},
                             {}));
  bitfetch_model_options options = bitfetch_model_default_options();
  options.threads = 1;
  options.kv_tokens = kv_tokens;
  options.prefetch = "256";
  bitfetch_model* model = nullptr;
  FUZZ_CHECK(Succeeds(bitfetch_model_open(path.c_str(), &options, &model)));
  return model;
}

}  // namespace bitfetch

#endif  // BITFETCH_FUZZ_MODEL_H_
