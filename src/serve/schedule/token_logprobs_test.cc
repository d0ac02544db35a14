// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule/token_logprobs.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitfetch {
namespace {

TEST(TokenLogprobs, AreLogarithmsOfTheSoftmax) {
  const std::vector<float> logits = {1, 3, -2, 3, 0};
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit);
  const TokenLogprob token = LogprobOf(2, logits, 3);
  EXPECT_EQ(token.id, 2);
  EXPECT_NEAR(token.logprob, -2 - std::log(sum), 1e-6);
  ASSERT_EQ(token.top.size(), 3u);
  EXPECT_EQ(token.top[0].id, 1);  // of equal ones, the lowest
  EXPECT_EQ(token.top[1].id, 3);
  EXPECT_EQ(token.top[2].id, 0);
  EXPECT_NEAR(token.top[0].logprob, 3 - std::log(sum), 1e-6);
  EXPECT_NEAR(token.top[2].logprob, 1 - std::log(sum), 1e-6);
}

TEST(TokenLogprobs, LargeLogitsAndMoreThanThereAre) {
  const TokenLogprob token = LogprobOf(0, std::vector<float>{3e38f, -3e38f}, 9);
  EXPECT_EQ(token.logprob, 0);
  EXPECT_EQ(token.top.size(), 2u);
  EXPECT_TRUE(std::isinf(token.top[1].logprob));
  EXPECT_TRUE(LogprobOf(1, std::vector<float>{0, 0}, 0).top.empty());
}

}  // namespace
}  // namespace bitfetch
