// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule/token_logprobs.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/math.h"

namespace bitfetch {

TokenLogprob LogprobOf(int id, std::span<const float> logits, int top) {
  const double log_sum = LogSumExp(logits);
  const auto logprob = [&](int token) { return static_cast<float>(logits[token] - log_sum); };

  std::vector<int> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto end = ids.begin() + std::min<ptrdiff_t>(top, std::ssize(ids));
  std::ranges::partial_sort(ids, end, [&](int a, int b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  TokenLogprob token{.id = id, .logprob = logprob(id)};
  for (auto likely = ids.begin(); likely != end; ++likely) {
    token.top.push_back({.id = *likely, .logprob = logprob(*likely)});
  }
  return token;
}

}  // namespace bitfetch
