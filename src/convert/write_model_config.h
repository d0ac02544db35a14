// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_WRITE_MODEL_CONFIG_H_
#define BITFETCH_CONVERT_WRITE_MODEL_CONFIG_H_

#include <string_view>

#include "convert/gguf_writer.h"
#include "model/model_config.h"

namespace bitfetch {

// The metadata that ReadModelConfig reads back, for `architecture`, by whichever of its names.
// config.architecture is not looked at.
void WriteModelConfig(std::string_view architecture, const ModelConfig& config, GgufWriter& writer);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_WRITE_MODEL_CONFIG_H_
