// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/affinity.h"

namespace bitfetch {
namespace {

constexpr auto kSpinTime = std::chrono::microseconds(50);

// How many of the shortest runs a thread's share of all would be: what a run costs to begin is
// still small against it.
constexpr int64_t kShortestRuns = 16;

// The pool whose body this thread is running, and as which of its threads: how a nested call is
// known.
struct Running {
  const ThreadPool* pool = nullptr;
  int thread = 0;
};
thread_local Running running;

class RunningScope {
 public:
  RunningScope(const ThreadPool* pool, int thread) : outer_(running) { running = {pool, thread}; }
  ~RunningScope() { running = outer_; }

 private:
  Running outer_;
};

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // `yield` is a no-op on most cores
#endif
}

// Returns once `value` is no longer `old`.
void AwaitChange(const std::atomic<uint32_t>& value, uint32_t old, bool spin) {
  if (spin) {
    const auto until = std::chrono::steady_clock::now() + kSpinTime;
    do {
      // A clock costs as much as several looks.
      for (int i = 0; i < 16; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        Pause();
      }
    } while (std::chrono::steady_clock::now() < until);
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::Create(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return Fail("{} threads: the number must be from 1 to {}", threads, kMaxThreads);
  }
  std::unique_ptr<ThreadPool> pool(new ThreadPool);
  pool->spin_ = threads <= AffinityCpus();
  pool->workers_.reserve(threads - 1);
  for (int thread = 1; thread < threads; ++thread) {
    try {
      pool->workers_.emplace_back(&ThreadPool::Work, pool.get(), thread);
    } catch (const std::system_error& error) {
      return Fail("cannot start thread {} of {}: {}", thread + 1, threads, error.code().message());
    }
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  Open(nullptr, true);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Work(int thread) {
  RunningScope scope(this, thread);
  for (uint32_t seen = 0;;) {
    AwaitChange(round_, seen, spin_);
    seen = round_.load(std::memory_order_acquire);
    if (!Enter(seen)) continue;
    if (body_ == nullptr) return;
    Call(*body_, thread);
    Leave();
  }
}

// Begins a round. A body that is null ends the workers.
void ThreadPool::Open(const FunctionRef<void(int)>* body, bool by_all) {
  body_ = body;
  by_all_ = by_all;
  finished_.store(0, std::memory_order_relaxed);
  state_.store((round_.load(std::memory_order_relaxed) + 1) * kRound, std::memory_order_release);
  // Sequentially consistent, or the look for sleepers in notify_all() could come before it.
  round_.fetch_add(1);
  round_.notify_all();
}

// Whether the worker takes part in the round.
bool ThreadPool::Enter(uint32_t round) {
  uint32_t state = state_.load(std::memory_order_acquire);
  do {
    if ((state & kClosed) != 0 || state / kRound != round % (UINT32_MAX / kRound + 1)) return false;
  } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
  return true;
}

void ThreadPool::Leave() {
  // While the worker is in it, the round can't end.
  const bool by_all = by_all_;
  const uint32_t before = state_.fetch_sub(1);
  if ((before & kClosed) != 0 && (before & kWorkers) == 1) state_.notify_one();
  if (by_all && finished_.fetch_add(1) + 1 == workers_.size()) finished_.notify_one();
}

// Once those that it needs have been there, and nobody is at work any more.
void ThreadPool::EndRound() {
  if (by_all_) {
    for (uint32_t finished;
         (finished = finished_.load(std::memory_order_acquire)) < workers_.size();) {
      AwaitChange(finished_, finished, spin_);
    }
  }
  for (uint32_t state = state_.fetch_or(kClosed) | kClosed; (state & kWorkers) != 0;
       state = state_.load(std::memory_order_acquire)) {
    AwaitChange(state_, state, spin_);
  }
}

void ThreadPool::Call(FunctionRef<void(int)> body, int thread) {
  try {
    body(thread);
  } catch (...) {
    if (!thrown_.exchange(true)) exception_ = std::current_exception();
  }
}

void ThreadPool::Run(FunctionRef<void(int)> body) {
  if (running.pool == this) {
    for (int thread = 0; thread < threads(); ++thread) body(thread);
    return;
  }
  RunRound(body, true);
}

void ThreadPool::RunAny(FunctionRef<void(int)> body) {
  if (running.pool == this) {
    body(running.thread);
    return;
  }
  RunRound(body, false);
}

void ThreadPool::RunRound(FunctionRef<void(int)> body, bool by_all) {
  RunningScope scope(this, 0);
  if (!workers_.empty()) Open(&body, by_all);
  Call(body, 0);
  if (!workers_.empty()) EndRound();
  if (thrown_.exchange(false)) std::rethrow_exception(std::exchange(exception_, nullptr));
}

void ThreadPool::ParallelFor(int64_t count, FunctionRef<void(int64_t, int)> body) {
  const bool nested = running.pool == this;
  if (nested || workers_.empty() || count <= 1) {
    const int thread = nested ? running.thread : 0;
    RunningScope scope(this, thread);
    for (int64_t item = 0; item < count; ++item) body(item, thread);
    return;
  }
  next_item_.store(0, std::memory_order_relaxed);
  RunAny([&](int thread) {
    for (int64_t item; (item = next_item_.fetch_add(1, std::memory_order_relaxed)) < count;) {
      body(item, thread);
    }
  });
}

void ThreadPool::ParallelPieces(int64_t count, int64_t at_a_time,
                                FunctionRef<void(int64_t, int64_t, int)> body) {
  ParallelFor((count + at_a_time - 1) / at_a_time, [&](int64_t piece, int thread) {
    const int64_t begin = piece * at_a_time;
    body(begin, std::min(begin + at_a_time, count), thread);
  });
}

void ThreadPool::ParallelRuns(int64_t count, int64_t at_a_time,
                              FunctionRef<void(int64_t, int64_t, int)> body) {
  const int64_t units = (count + at_a_time - 1) / at_a_time;
  const bool nested = running.pool == this;
  if (nested || workers_.empty() || units <= 1) {
    const int thread = nested ? running.thread : 0;
    RunningScope scope(this, thread);
    if (count > 0) body(0, count, thread);
    return;
  }
  const int64_t least = std::max<int64_t>(units / (kShortestRuns * threads()), 1);
  next_item_.store(0, std::memory_order_relaxed);
  RunAny([&](int thread) {
    for (int64_t first = next_item_.load(std::memory_order_relaxed); first < units;) {
      const int64_t end =
          std::min(first + std::max((units - first) / (2 * threads()), least), units);
      if (!next_item_.compare_exchange_weak(first, end, std::memory_order_relaxed)) continue;
      body(first * at_a_time, std::min(end * at_a_time, count), thread);
      first = next_item_.load(std::memory_order_relaxed);
    }
  });
}

}  // namespace bitfetch
