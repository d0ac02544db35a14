// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "base/test_affinity.h"

namespace bitfetch {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::unique_ptr<ThreadPool> MakePool(int threads) {
  auto pool = ThreadPool::Create(threads);
  if (!pool) {
    ADD_FAILURE() << pool.error().message;
    return nullptr;
  }
  return *std::move(pool);
}

class ThreadPoolTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, ::testing::Values(1, 2, 3, 7, 16, 64));

TEST_P(ThreadPoolTest, RunsTheBodyOnceOnEveryThreadWithTheCallerAsThreadZero) {
  const auto pool = MakePool(GetParam());
  ASSERT_EQ(pool->threads(), GetParam());
  std::vector<std::thread::id> ids(GetParam());
  std::vector<int> calls(GetParam());
  pool->Run([&](int thread) {
    ids[thread] = std::this_thread::get_id();
    ++calls[thread];
  });
  EXPECT_THAT(calls, Each(1));
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size());
}

TEST_P(ThreadPoolTest, RunAnyRunsTheBodyOnTheCallerAndOnceAtMostOnEachWorker) {
  const auto pool = MakePool(GetParam());
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> calls(GetParam());
    pool->RunAny([&](int thread) { ++calls[thread]; });
    EXPECT_EQ(calls[0], 1);
    for (const std::atomic<int>& count : calls) EXPECT_LE(count, 1);
  }
}

// Rounds of both kinds, one after the other, in which workers come late or not at all.
TEST_P(ThreadPoolTest, WhoComesTooLateForARoundComesToTheNext) {
  const auto pool = MakePool(GetParam());
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> inside = 0;
    pool->RunAny([&](int) { ++inside; });
    EXPECT_GE(inside, 1);
    const int after = inside;
    std::atomic<int> all = 0;
    pool->Run([&](int) { ++all; });
    EXPECT_EQ(all, GetParam());
    EXPECT_EQ(inside, after) << "somebody was in a round that was over";
    if (round % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

std::atomic<bool> worker_is_held = false;
std::atomic<bool> worker_is_there = false;
void HoldWorker(int) {
  worker_is_there = true;
  while (worker_is_held) continue;
}

// As another program may hold it that has its core.
TEST(ThreadPool, AWorkerThatIsHeldIsNotWaitedFor) {
  const auto pool = ThreadPool::Create(2).value();
  pthread_t worker{};
  pool->Run([&](int thread) {
    if (thread == 1) worker = pthread_self();
  });
  const auto before = std::signal(SIGUSR1, HoldWorker);
  worker_is_held = true;
  ASSERT_EQ(pthread_kill(worker, SIGUSR1), 0);
  while (!worker_is_there) std::this_thread::yield();
  int64_t done = 0;
  pool->ParallelFor(1000, [&](int64_t, int thread) {
    EXPECT_EQ(thread, 0);
    ++done;
  });
  EXPECT_EQ(done, 1000);
  worker_is_held = false;
  std::atomic<int> all = 0;
  pool->Run([&](int) { ++all; });
  EXPECT_EQ(all, 2);
  std::signal(SIGUSR1, before);
}

// Plain ints: the thread sanitizer sees it if a fork or a join orders nothing.
TEST_P(ThreadPoolTest, OneRoundSeesWhatTheLastWrote) {
  const auto pool = MakePool(GetParam());
  const int n = GetParam();
  std::vector<int> now(n, 0), next(n, 0);
  constexpr int kRounds = 3000;
  for (int round = 0; round < kRounds; ++round) {
    pool->Run([&](int thread) { next[thread] = now[(thread + 1) % n] + 1; });
    now.swap(next);
    if (round % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // asleep
  }
  EXPECT_THAT(now, Each(kRounds));
}

TEST_P(ThreadPoolTest, ParallelForTakesEveryItemOnce) {
  const auto pool = MakePool(GetParam());
  for (int64_t count : {-1, 0, 1, 2, 7, 1000}) {
    std::vector<int> taken(std::max<int64_t>(count, 0));
    std::vector<int64_t> sums(pool->threads());
    pool->ParallelFor(count, [&](int64_t item, int thread) {
      ++taken[item];
      sums[thread] += item;
    });
    EXPECT_THAT(taken, Each(1)) << count;
    EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}),
              count < 1 ? 0 : count * (count - 1) / 2);
  }
}

TEST_P(ThreadPoolTest, ParallelPiecesCoverEveryItemOnce) {
  const auto pool = MakePool(GetParam());
  for (const int64_t count : {0, 1, 7, 8, 9, 1000}) {
    std::vector<int> taken(count);
    pool->ParallelPieces(count, 8, [&](int64_t begin, int64_t end, int thread) {
      EXPECT_EQ(begin % 8, 0);
      EXPECT_EQ(end, std::min<int64_t>(begin + 8, count));
      EXPECT_LT(thread, pool->threads());
      for (int64_t item = begin; item < end; ++item) ++taken[item];
    });
    EXPECT_THAT(taken, Each(1));
  }
}

TEST_P(ThreadPoolTest, ParallelRunsCoverEveryItemOnceInWholeUnitsThatGetNoLonger) {
  const auto pool = MakePool(GetParam());
  for (const int64_t count : {0, 1, 7, 8, 9, 1000, 100'000}) {
    std::vector<int> taken(count);
    std::mutex mutex;
    std::map<int64_t, int64_t> runs;  // begin to end
    pool->ParallelRuns(count, 8, [&](int64_t begin, int64_t end, int thread) {
      EXPECT_LT(thread, pool->threads());
      for (int64_t item = begin; item < end; ++item) ++taken[item];
      const std::lock_guard lock(mutex);
      runs[begin] = end;
    });
    EXPECT_THAT(taken, Each(1));
    int64_t last = count;
    for (const auto& [begin, end] : runs) {
      EXPECT_EQ(begin % 8, 0);
      EXPECT_TRUE(end % 8 == 0 || end == count) << end;
      EXPECT_LE(end - begin, last);
      last = end - begin;
    }
    if (GetParam() == 1) continue;
    // No thread is left without one, and nobody waits for more than a short one at the end.
    EXPECT_GE(static_cast<int64_t>(runs.size()),
              std::min<int64_t>((count + 7) / 8, 2 * GetParam()));
    if (count == 100'000) {
      EXPECT_LE(last, count / (16 * GetParam()) + 8);
    }
  }
}

TEST_P(ThreadPoolTest, NestedCallsRunInline) {
  const auto pool = MakePool(GetParam());
  std::atomic<int> items{0}, runs{0};
  pool->Run([&](int outer) {
    const auto id = std::this_thread::get_id();
    pool->ParallelFor(10, [&](int64_t, int thread) {
      EXPECT_EQ(thread, outer);
      EXPECT_EQ(std::this_thread::get_id(), id);
      ++items;
    });
    std::vector<int> order;
    pool->Run([&](int thread) {
      EXPECT_EQ(std::this_thread::get_id(), id);
      order.push_back(thread);
      ++runs;
    });
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
  EXPECT_EQ(items, 10 * GetParam());
  EXPECT_EQ(runs, GetParam() * GetParam());
}

TEST_P(ThreadPoolTest, PoolsMayBeUsedInsideEachOther) {
  const auto outer = MakePool(2);
  std::vector<std::unique_ptr<ThreadPool>> inner;
  for (int i = 0; i < 2; ++i) inner.push_back(MakePool(GetParam()));
  std::atomic<int> runs{0};
  for (int round = 0; round < 100; ++round) {
    outer->Run([&](int thread) { inner[thread]->Run([&](int) { ++runs; }); });
  }
  EXPECT_EQ(runs, 100 * 2 * GetParam());
}

TEST(ThreadPool, ItemsAreHandedOutToWhoeverIsFree) {
  const auto pool = MakePool(2);
  // Whoever takes item 0 waits until the other has done all the rest: ends only if they are handed
  // out one by one.
  std::atomic<int> done{0};
  pool->ParallelFor(20, [&](int64_t item, int) {
    if (item == 0) {
      while (done < 19) std::this_thread::yield();
    } else {
      ++done;
    }
  });
  EXPECT_EQ(done, 19);
}

TEST(ThreadPool, WithOneThreadItemsComeInOrder) {
  const auto pool = MakePool(1);
  std::vector<int64_t> order;
  pool->ParallelFor(4, [&](int64_t item, int) { order.push_back(item); });
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(ThreadPool, ManyPoolsComeAndGo) {
  for (int i = 0; i < 200; ++i) {
    const auto pool = MakePool(1 + i % 4);
    std::atomic<int> runs{0};
    for (int round = 0; round < i % 3; ++round) pool->Run([&](int) { ++runs; });
    EXPECT_EQ(runs, (1 + i % 4) * (i % 3));
  }
}

// What all threads must do and what few may do, in turn, with items for whoever comes.
void ExpectRounds(ThreadPool& pool) {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> all = 0;
    pool.Run([&](int) { ++all; });
    EXPECT_EQ(all, pool.threads());
    std::atomic<int64_t> sum = 0;
    pool.ParallelFor(100, [&](int64_t item, int) { sum += item; });
    EXPECT_EQ(sum, 4950);
  }
}

TEST(ThreadPool, GoesOnWhenItIsPinnedToOneCore) {
  for (const int threads : {2, 64}) {
    const auto pool = MakePool(threads);
    ExpectRounds(*pool);
    const PinnedToOneCpu pinned;
    ExpectRounds(*pool);
    ExpectRounds(*MakePool(threads));
  }
}

TEST(ThreadPool, SleepsWhenIdle) {
  const auto pool = MakePool(4);
  pool->Run([](int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto cpu_ms = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-3;
  };
  const double before = cpu_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(cpu_ms() - before, 100);  // three spinning workers would take 200 at least
}

TEST(ThreadPool, RefusesSenselessNumbers) {
  for (int threads : {-1, 0, 1025}) {
    const auto pool = ThreadPool::Create(threads);
    ASSERT_FALSE(pool.has_value());
    EXPECT_THAT(pool.error().message, HasSubstr(std::to_string(threads) + " threads"));
  }
}

TEST(ThreadPool, AThreadThatCannotStartIsAnError) {
  pthread_attr_t usual, huge;
  ASSERT_EQ(pthread_getattr_default_np(&usual), 0);
  ASSERT_EQ(pthread_attr_init(&huge), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&huge, size_t{1} << 50), 0);  // beyond any address space
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  const auto pool = ThreadPool::Create(3);
  ASSERT_EQ(pthread_setattr_default_np(&usual), 0);
  ASSERT_FALSE(pool.has_value());
  EXPECT_THAT(pool.error().message, StartsWith("cannot start thread 2 of 3: "));
}

TEST(ThreadPool, WhatABodyThrowsComesOutOfTheCall) {
  for (const int threads : {1, 2, 3}) {
    auto pool = *ThreadPool::Create(threads);
    for (int thrower = 0; thrower < threads; ++thrower) {
      std::atomic<int> ended = 0;
      EXPECT_THROW(pool->Run([&](int thread) {
        ++ended;
        if (thread == thrower) throw std::bad_alloc();
      }),
                   std::bad_alloc);
      EXPECT_EQ(ended, threads);
    }
    EXPECT_THROW(pool->ParallelFor(100, [](int64_t, int) { throw std::bad_alloc(); }),
                 std::bad_alloc);
    // From within, too; and afterwards all is well.
    EXPECT_THROW(pool->Run([&](int) { pool->Run([](int) { throw std::bad_alloc(); }); }),
                 std::bad_alloc);
    std::atomic<int> items = 0;
    pool->ParallelFor(100, [&](int64_t, int) { ++items; });
    EXPECT_EQ(items, 100);
  }
}

}  // namespace
}  // namespace bitfetch
