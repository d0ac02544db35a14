// SPDX-License-Identifier: Apache-2.0
#include "api/turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace bitfetch {
namespace {

TEST(CApiTurns, ComeInTheOrderOfAsking) {
  Turns turns;
  std::vector<int> order;
  std::vector<std::thread> threads;
  turns.lock();
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::lock_guard turn(turns);
      order.push_back(i);
    });
    while (turns.left() < static_cast<uint64_t>(i) + 2) std::this_thread::yield();
  }
  turns.unlock();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(turns.left(), 0u);
}

TEST(CApiTurns, AreOneThreadsAtATime) {
  Turns turns;
  int count = 0;
  const auto add = [&] {
    for (int i = 0; i < 1000; ++i) {
      const std::lock_guard turn(turns);
      ++count;
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(count, 2000);
}

}  // namespace
}  // namespace bitfetch
