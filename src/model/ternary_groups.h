// SPDX-License-Identifier: Apache-2.0
// Weights that are ternary by group: each is (code - 1) times the scale of its group of neighbours
// in a row, codes 0 to 3. Q2_0 is ggml's block_q2_0 with groups of 64, PQ2_0 the same with groups
// of 128: a float16 scale, then bytes of four neighbours, the first in the lowest bits.
#ifndef BITFETCH_MODEL_TERNARY_GROUPS_H_
#define BITFETCH_MODEL_TERNARY_GROUPS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/gguf_reader.h"

namespace bitfetch {

// A tensor of a type that IsTernaryByGroup, and where its weights go.
struct GroupsToRead {
  const GgufTensor* tensor;
  TernaryGroups* out;
};

// Brings tensors of the file into the strips that kernels read, all in one piece of memory, on huge
// pages where the system gives them, which is returned and must outlive them; what they take in the
// file is let go, tensor by tensor. About a nanosecond for five weights on one thread. Errors name
// the file, the tensor and what is wrong: a scale that is not finite and where, no memory.
Result<PageBuffer> ReadTernaryGroups(const GgufReader& file, std::span<const GroupsToRead> tensors,
                                     ThreadPool& pool, const Progress& progress);

// The way back, for writing files: the codes of one group, 64 or 128 of them, and its scale.
void PackQ2_0(std::span<const uint8_t> codes, uint16_t f16_scale, std::byte* out);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_TERNARY_GROUPS_H_
