// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_CONVERT_H_
#define BITFETCH_CONVERT_CONVERT_H_

#include <optional>
#include <string>

#include "base/error.h"
#include "base/progress.h"
#include "model/tensor_type.h"

namespace bitfetch {

struct ConvertOptions {
  // Of the ternary matrices, I2_S or Q2_0; none: what they are.
  std::optional<TensorType> weights;
  // Rounds floats to ternary weights though config.json does not say that they are to be.
  bool assume_bitnet = false;
  std::string pre;  // the pre-tokenizer, where tokenizer.json's pattern is not known; see there
};

// Writes the model in a Hugging Face folder (config.json, safetensors, tokenizer.json or .model
// and, where there is one, tokenizer_config.json) as a GGUF file, with the names that public
// converters give. Norms become F32; the matrices of layers I2_S where they are ternary with one
// scale each, or are to be rounded so (convert/hf_ternary.h), and Q2_0 where they are ternary by
// group (convert/hf_groups.h); the embedding and the output head Q2_0 too where they are so, else
// F16. Costs about as long as reading the weights, once or twice, and a few hundred MB of memory,
// whatever the model. `progress` hears of bytes written.
//
// What stands at `out` is replaced at the end, if it is a GGUF file; anything else is in the way.
// Errors name the file: what is missing, damaged or not supported, a tensor that no model of the
// architecture has, weights that are not ternary, a disk without room. Then nothing is left behind.
Status ConvertModel(const std::string& folder, const std::string& out,
                    const ConvertOptions& options, const Progress& progress);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_CONVERT_H_
