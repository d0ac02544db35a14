// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_THREAD_POOL_H_
#define BITFETCH_BASE_THREAD_POOL_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/function_ref.h"

namespace bitfetch {

// A fork-join pool: its caller and threads-1 workers run one body together. Between two calls the
// workers spin for some tens of microseconds, so that a fork and join costs about one while work
// follows work, and then sleep, so that an idle session burns no CPU. More threads than the
// affinity of who makes the pool allows at once sleep right away.
//
// One thread at a time calls a pool. What a body throws (memory may run out on any thread) comes
// out of the call once all threads have ended; of several, the first. The pool is then as before.
class ThreadPool {
 public:
  static constexpr int kMaxThreads = 1024;

  // Fails when `threads` is not in 1..kMaxThreads or the system refuses a thread.
  static Result<std::unique_ptr<ThreadPool>> Create(int threads);

  // Joins the workers.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(thread) once on every thread, the caller being thread 0, and returns when all have
  // ended; what they wrote is then visible. With one thread this is a plain call. Called from a
  // body of the same pool it runs body(0), body(1), ... one after another on the calling thread.
  void Run(FunctionRef<void(int thread)> body);

  // Calls body(thread) on the caller and, beside it, on those workers that come before the caller's
  // has ended: one that another program keeps from its core is not waited for. What is to be done
  // is for whoever comes to take. Called from a body of the same pool: body(thread) alone, of the
  // calling thread.
  void RunAny(FunctionRef<void(int thread)> body);

  // Calls body(item, thread) once for every item in 0..count-1. Items are handed out in ascending
  // order to whichever thread is free, so that an item's result must not depend on `thread`, which
  // is there to pick scratch memory. Called from a body of the same pool it takes all items on the
  // calling thread, under that thread's own number.
  void ParallelFor(int64_t count, FunctionRef<void(int64_t item, int thread)> body);

  // The same for pieces of `at_a_time` items, of which the last may be shorter: body(begin, end,
  // thread).
  void ParallelPieces(int64_t count, int64_t at_a_time,
                      FunctionRef<void(int64_t begin, int64_t end, int thread)> body);

  // The same for runs as long as balance allows, for what is read best on end: of whole units of
  // `at_a_time` items, long ones first, and short ones at the end, so that nobody waits long for a
  // thread that another program keeps from its core or whose core is slower ("guided" in OpenMP).
  void ParallelRuns(int64_t count, int64_t at_a_time,
                    FunctionRef<void(int64_t begin, int64_t end, int thread)> body);

 private:
  ThreadPool() = default;
  void Work(int thread);
  void Call(FunctionRef<void(int)> body, int thread);
  void Open(const FunctionRef<void(int)>* body, bool by_all);
  bool Enter(uint32_t round);
  void Leave();
  void EndRound();
  void RunRound(FunctionRef<void(int)> body, bool by_all);

  // state_ is a round's number, by which a worker sees that it has come too late, and below it:
  static constexpr uint32_t kWorkers = 2 * kMaxThreads - 1;  // how many are at work
  static constexpr uint32_t kClosed = 2 * kMaxThreads;       // no more come in
  static constexpr uint32_t kRound = 2 * kClosed;

  // Each on a cache line of its own: the caller writes the first, workers the others.
  alignas(64) std::atomic<uint32_t> round_{0};  // rises by one with each, and to stop
  alignas(64) std::atomic<uint32_t> state_{kClosed};
  alignas(64) std::atomic<uint32_t> finished_{0};  // workers, of a round that all must run
  alignas(64) std::atomic<int64_t> next_item_{0};
  alignas(64) const FunctionRef<void(int)>* body_ = nullptr;  // null in the round that stops
  bool by_all_ = false;                                       // this round
  std::atomic<bool> thrown_ = false;                          // by a body, in this round
  std::exception_ptr exception_;                              // what it threw
  bool spin_ = true;
  std::vector<std::thread> workers_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_THREAD_POOL_H_
