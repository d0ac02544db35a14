// SPDX-License-Identifier: Apache-2.0
#include "bitfetch/bitfetch.h"
#include "kernels/kernels.h"

const char* bitfetch_version(void) { return BITFETCH_VERSION; }

const char* bitfetch_isa(void) {
  const auto kernels = bitfetch::ChooseKernels();
  return kernels ? bitfetch::IsaName((*kernels)->isa).data() : "none";
}
