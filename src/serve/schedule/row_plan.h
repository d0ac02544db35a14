// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_SCHEDULE_ROW_PLAN_H_
#define BITFETCH_SERVE_SCHEDULE_ROW_PLAN_H_

#include <cstdint>
#include <span>
#include <vector>

namespace bitfetch {

// How many tokens of each task the next pass takes, where task i, the first to have come first, has
// left[i] to append before its next one can be drawn (0: it sits this pass out). Who has one left
// gets it. Prompts get `prefill_step` together where others wait for their next token, else what a
// pass holds; half of that is for the first to have come, the rest for those with the least left.
// At most ForwardPass::kMaxRows tasks.
std::vector<int64_t> PlanRows(std::span<const int64_t> left, int64_t prefill_step);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_SCHEDULE_ROW_PLAN_H_
