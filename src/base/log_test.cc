// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(Log, WarningsAreLinesOnStderr) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Warn("{} of {}", 1, 2);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "warning: 1 of 2\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace bitfetch
