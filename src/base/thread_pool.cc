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
  body_ = nullptr;
  round_.fetch_add(1);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Work(int thread) {
  RunningScope scope(this, thread);
  for (uint32_t seen = 0;; ++seen) {
    AwaitChange(round_, seen, spin_);
    if (body_ == nullptr) return;
    Call(*body_, thread);
    if (working_.fetch_sub(1) == 1) working_.notify_one();
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
  RunningScope scope(this, 0);
  if (!workers_.empty()) {
    body_ = &body;
    working_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
    // Sequentially consistent, or the look for sleepers in notify_all() could come before it.
    round_.fetch_add(1);
    round_.notify_all();
  }
  Call(body, 0);
  for (uint32_t left = working_.load(std::memory_order_acquire); left != 0;
       left = working_.load(std::memory_order_acquire)) {
    AwaitChange(working_, left, spin_);
  }
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
  Run([&](int thread) {
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

}  // namespace bitfetch
