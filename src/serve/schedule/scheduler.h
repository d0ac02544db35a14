// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_SCHEDULE_SCHEDULER_H_
#define BITFETCH_SERVE_SCHEDULE_SCHEDULER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <tl/expected.hpp>
#include <vector>

#include "engine/engine.h"
#include "serve/schedule/running_task.h"

namespace bitfetch {

struct SchedulerOptions {
  int parallel = 32;          // tasks that run at once, 1 .. ForwardPass::kMaxRows
  int64_t queue = 512;        // tasks that wait
  int64_t prefill_step = 16;  // tokens of prompts in a pass that others' next tokens wait for
};

struct SchedulerStats {
  int64_t running = 0;
  int64_t waiting = 0;
  // Since the start; of prompts when their task is over.
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t tokens = 0;    // generated
  int64_t drafts = 0;    // passes of an answer that guessed ahead
  int64_t guesses = 0;   // tokens
  int64_t accepted = 0;  // of them, those that were drawn
  int64_t preemptions = 0;
  double kv_usage = 0;  // share of the KV blocks that running tasks hold
  std::optional<KvTier::Stats> store = {};
};

// Runs tasks on one engine, many at once: each pass takes the next token of every answer and pieces
// of prompts. What a task gets never depends on who else is there. Where a prompt is read while
// others are answered, a pass has at most `prefill_step` tokens of prompts, so that nobody's next
// token waits for long; half of them are for the task that came first, the rest for those that have
// the least to read. Of waiting tasks the next is the first of the client that has the fewest
// running. Where the KV cache is full, the last to have come gives its blocks back and is computed
// again later. A prompt that another task is reading just now is waited for, and shared. Where few
// answers leave a pass room, tokens are guessed ahead for them, as many as pay (Drafter). Where
// other memory runs out, a task fails, or waits until the others are further; all else goes on.
class Scheduler {
 public:
  using Id = uint64_t;
  enum class Refusal { kQueueFull, kDraining };

  // A thread of its own uses the engine from now on.
  Scheduler(Engine* engine, const SchedulerOptions& options);
  ~Scheduler() { Stop(); }
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // All of them or none. While a place is free they may be more than the queue holds: a request for
  // many texts would never be taken otherwise. They are heard of on the scheduler's thread. Any
  // thread may call this and what follows; none of it waits for the engine.
  tl::expected<std::vector<Id>, Refusal> Submit(std::vector<std::unique_ptr<RunningTask>> tasks);

  // The client has left: frees the task's place before the next pass. No such task: nothing.
  void Cancel(std::span<const Id> ids);

  // Nothing new is taken any more; whether all that was is over by then.
  bool Drain(std::chrono::steady_clock::time_point until);

  SchedulerStats Stats() const;

  // Takes nothing more and ends what runs or waits, as if cancelled, after the pass under way. Not
  // for two threads at once.
  void Stop();

 private:
  struct Entry {
    Id id;
    std::unique_ptr<RunningTask> task;
  };

  void Work();
  bool Wait();
  bool Admit();
  std::deque<Entry>::iterator NextWaiting();
  void Step();
  void MakeRoom(std::vector<int64_t>& rows);
  int64_t BlocksForGuesses(std::span<const int64_t> rows) const;
  void Preempt();
  void ReturnLast();
  void GiveWay();
  void Forget();
  void Count(std::span<const Entry> over, const SchedulerStats& pass = {});

  Engine& engine_;
  const SchedulerOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Entry> waiting_;
  std::set<Id> cancelled_;
  SchedulerStats stats_;
  int64_t unfinished_ = 0;  // tasks
  Id last_id_ = 0;
  bool draining_ = false;
  bool stopping_ = false;

  // The thread's own.
  std::vector<Entry> running_;  // the first to have come first
  PastTexts past_;
  std::thread thread_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_SCHEDULE_SCHEDULER_H_
