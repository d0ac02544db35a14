// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_SCHEDULE_TOKEN_LOGPROBS_H_
#define BITFETCH_SERVE_SCHEDULE_TOKEN_LOGPROBS_H_

#include <span>

#include "base/logits.h"
#include "serve/schedule/completion.h"

namespace bitfetch {

// How likely `id` was where these are the logits of all tokens, [vocab], finite, and the `top` that
// were likeliest (of equal ones, the lowest id). O(vocab).
TokenLogprob LogprobOf(int id, std::span<const float> logits, int top);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_SCHEDULE_TOKEN_LOGPROBS_H_
