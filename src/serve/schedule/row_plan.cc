// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule/row_plan.h"

#include <algorithm>

#include "model/forward.h"

namespace bitfetch {

std::vector<int64_t> PlanRows(std::span<const int64_t> left, int64_t prefill_step) {
  std::vector<int64_t> rows(left.size());
  std::vector<size_t> prompts;
  int64_t answers = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i] == 1) answers += rows[i] = 1;
    if (left[i] > 1) prompts.push_back(i);
  }
  int64_t budget = ForwardPass::kMaxRows - answers;
  if (answers > 0) budget = std::min(budget, prefill_step);
  const auto give = [&](size_t i, int64_t max) {
    const int64_t given = std::min({left[i] - rows[i], budget, max});
    rows[i] += given;
    budget -= given;
  };
  if (!prompts.empty()) give(prompts.front(), (budget + 1) / 2);
  std::ranges::stable_sort(prompts, {}, [&](size_t i) { return left[i]; });
  for (const size_t i : prompts) give(i, budget);
  return rows;
}

}  // namespace bitfetch
