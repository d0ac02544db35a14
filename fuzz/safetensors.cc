// SPDX-License-Identifier: Apache-2.0
// A file that claims to hold tensors goes as far as a conversion would take it: the header, and
// each matrix as ternary weights of the shape that it has.
#include "convert/safetensors.h"

#include <cmath>
#include <vector>

#include "convert/hf_ternary.h"
#include "fuzz/check.h"
#include "fuzz/memory_file.h"

namespace bitfetch {
namespace {

void ReadMatrix(const SafeTensor& weight, const SafeTensor* scale, const std::string& path) {
  if (weight.shape.size() != 2) return;
  const int64_t rows = weight.shape[0] * (weight.dtype == "U8" ? 4 : 1), cols = weight.shape[1];
  for (const bool flag : {false, true}) {
    auto matrix =
        HfTernary::Open(weight, scale, rows, cols, {.round = flag, .scale_divides = flag});
    if (!IsSound(matrix, path)) continue;
    FUZZ_CHECK(std::isfinite(matrix->scale()) && matrix->scale() >= 0);
    std::vector<uint8_t> codes(static_cast<size_t>(cols));
    for (int64_t row = 0; row < rows; ++row) {
      if (!IsSound(matrix->ReadRow(row, codes), path)) break;
      for (const uint8_t code : codes) FUZZ_CHECK(code <= 2);
    }
  }
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bitfetch;  // NOLINT(google-build-using-namespace)
  const MemoryFile file(data, size);
  const auto opened = Safetensors::OpenFile(file.path());
  if (!IsSound(opened, file.path())) return 0;
  for (const auto& [name, tensor] : opened->tensors()) {
    FUZZ_CHECK(opened->Find(name) == tensor);
    ReadMatrix(*tensor, opened->Find(fmt::format("{}_scale", name)), file.path());
  }
  return 0;
}
