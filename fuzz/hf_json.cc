// SPDX-License-Identifier: Apache-2.0
// Any text as the configuration of a Hugging Face folder.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json_value.h"
#include "convert/hf_config.h"
#include "fuzz/check.h"

namespace bitfetch {
namespace {

void RunJson(std::string_view text) {
  const auto json = ParseJson(text);
  if (!IsSound(json)) return;
  const auto config = ReadHfConfig(*json);
  if (!IsSound(config)) return;
  FUZZ_CHECK(config->shape.head_dim > 0 && config->shape.heads % config->shape.kv_heads == 0);
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitfetch::RunJson({reinterpret_cast<const char*>(data), size});
  return 0;
}
