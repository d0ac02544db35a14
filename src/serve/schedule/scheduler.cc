// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule/scheduler.h"

#include <algorithm>
#include <map>
#include <new>
#include <numeric>
#include <string>
#include <utility>

#include "kv/tile.h"
#include "serve/schedule/row_plan.h"

namespace bitfetch {
namespace {

int64_t NewBlocks(const RunningTask& task, int64_t rows) {
  const int64_t length = task.sequence().length();
  return BlocksFor(length + rows) - BlocksFor(length);
}

void FailForMemory(RunningTask& task) {
  try {
    task.Fail(Error("out of memory"));
  } catch (const std::bad_alloc&) {  // it is over all the same, and its listener gone
  }
}

// What a task has begun can't be done again, or its text would not be the same.
template <class Step>
void OrFail(RunningTask& task, const Step& step) {
  try {
    step();
  } catch (const std::bad_alloc&) {
    FailForMemory(task);
  }
}

}  // namespace

Scheduler::Scheduler(Engine* engine, const SchedulerOptions& options)
    : engine_(*engine), options_(options), thread_([this] { Work(); }) {}

void Scheduler::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

tl::expected<std::vector<Scheduler::Id>, Scheduler::Refusal> Scheduler::Submit(
    std::vector<std::unique_ptr<RunningTask>> tasks) {
  std::vector<Id> ids;
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return tl::unexpected(Refusal::kDraining);
    if (unfinished_ >= options_.parallel &&
        unfinished_ + std::ssize(tasks) > options_.parallel + options_.queue) {
      return tl::unexpected(Refusal::kQueueFull);
    }
    for (std::unique_ptr<RunningTask>& task : tasks) {
      ids.push_back(++last_id_);
      waiting_.push_back({ids.back(), std::move(task)});
      ++unfinished_;
    }
  }
  work_.notify_one();
  return ids;
}

void Scheduler::Cancel(std::span<const Id> ids) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.insert(ids.begin(), ids.end());
  }
  work_.notify_one();
}

bool Scheduler::Drain(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  return idle_.wait_until(lock, until, [this] { return unfinished_ == 0; });
}

SchedulerStats Scheduler::Stats() const {
  const std::lock_guard lock(mutex_);
  SchedulerStats stats = stats_;
  stats.waiting = std::ssize(waiting_);
  stats.running = unfinished_ - stats.waiting;
  stats.store = engine_.store_stats();
  return stats;
}

void Scheduler::Work() {
  bool is_short = false;  // of memory: who gave way must not come back before others are further
  for (bool go_on = true; go_on;) {
    try {
      go_on = Wait();
      while (!is_short && Admit()) continue;
      Step();
      is_short = false;
    } catch (const std::bad_alloc&) {
      is_short = true;
      GiveWay();
    }
    Forget();
  }
}

// For something to do, and for who has left; whether to go on.
bool Scheduler::Wait() {
  std::vector<Entry> dropped;
  bool go_on;
  {
    std::unique_lock lock(mutex_);
    work_.wait(lock, [this] {
      return stopping_ || !cancelled_.empty() || !waiting_.empty() || !running_.empty();
    });
    go_on = !stopping_;
    if (go_on && cancelled_.empty()) return true;
    dropped.reserve(waiting_.size() + running_.size());
    const auto take = [&](auto& entries) {
      const auto stays = [&](const Entry& entry) {
        return go_on && !cancelled_.contains(entry.id);
      };
      const auto end = std::stable_partition(entries.begin(), entries.end(), stays);
      std::move(end, entries.end(), std::back_inserter(dropped));
      entries.erase(end, entries.end());
    };
    take(waiting_);
    take(running_);
    cancelled_.clear();
  }
  for (const Entry& entry : dropped) {
    OrFail(*entry.task, [&] { entry.task->End(StopReason::kInterrupted); });
  }
  Count(dropped);
  return go_on;
}

// Starts a waiting task, if there is one and room for it; whether it did.
bool Scheduler::Admit() {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() || std::ssize(running_) == options_.parallel) return false;
    const auto next = NextWaiting();
    running_.push_back(std::move(*next));
    waiting_.erase(next);
  }
  RunningTask& task = *running_.back().task;
  if (Status started = task.Start(engine_, &past_); !started) {
    task.Fail(std::move(started).error());
    Forget();
    return true;
  }
  int64_t needed = 0;
  for (const Entry& entry : running_) needed += NewBlocks(*entry.task, entry.task->left());
  if (running_.size() > 1 && needed > engine_.pool().Available()) {
    ReturnLast();
    return false;
  }
  return true;
}

std::deque<Scheduler::Entry>::iterator Scheduler::NextWaiting() {
  std::map<std::string, int> running;
  for (const Entry& entry : running_) ++running[entry.task->task().client];
  return std::ranges::min_element(waiting_, {}, [&](const Entry& entry) {
    const auto found = running.find(entry.task->task().client);
    return found == running.end() ? 0 : found->second;
  });
}

void Scheduler::Step() {
  std::vector<int64_t> left;
  bool kv_is_coming = false;
  for (size_t i = 0; i < running_.size(); ++i) {
    RunningTask& task = *running_[i].task;
    bool waits = task.left() > 1 && task.Adopt(engine_);
    kv_is_coming |= waits;
    if (!waits && task.left() > 1) {
      waits = std::any_of(running_.begin(), running_.begin() + i,
                          [&](const Entry& other) { return task.MayWaitFor(*other.task); });
    }
    left.push_back(waits ? 0 : task.left());
  }
  std::vector<int64_t> rows = PlanRows(left, options_.prefill_step);
  MakeRoom(rows);

  std::vector<SequencePiece> pieces;
  std::vector<RunningTask*> takers;
  int64_t taken = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  int64_t blocks = BlocksForGuesses(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == 0) continue;
    const int64_t max_guesses = std::min(ForwardPass::kMaxRows - taken, blocks * kTileTokens);
    pieces.push_back(running_[i].task->NextPiece(engine_, rows[i], max_guesses, taken));
    takers.push_back(running_[i].task.get());
    taken += pieces.back().guesses;
    blocks -= BlocksFor(pieces.back().guesses);
  }
  if (pieces.empty() && kv_is_coming) engine_.WaitForKv();
  if (const auto ran = engine_.Run(pieces); !ran) {
    for (SequencePiece& piece : pieces) piece.status = tl::unexpected(ran.error());
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    OrFail(*takers[i], [&] { takers[i]->OnRun(pieces[i]); });
  }

  std::vector<LogitsQuery> queries;
  std::vector<size_t> ends;  // of the queries of each taker
  takers.clear();
  for (const Entry& entry : running_) {
    if (entry.task->is_over() || entry.task->left() > 0) continue;
    entry.task->AddQueries(&queries);
    ends.push_back(queries.size());
    takers.push_back(entry.task.get());
  }
  engine_.Logits(queries);
  SchedulerStats pass;
  for (size_t i = 0, begin = 0; i < takers.size(); begin = ends[i++]) {
    const int64_t before = takers[i]->counts().tokens;
    const std::span<LogitsQuery> own = std::span(queries).subspan(begin, ends[i] - begin);
    OrFail(*takers[i], [&] { takers[i]->OnLogits(engine_, own); });
    const int64_t tokens = takers[i]->counts().tokens - before;
    pass.tokens += tokens;
    pass.drafts += own.size() > 1 ? 1 : 0;
    pass.guesses += std::ssize(own) - 1;
    pass.accepted += std::max<int64_t>(tokens - 1, 0);
  }
  Count({}, pass);
}

// What these rows leave of the pool; none where a prompt has the rest of the pass.
int64_t Scheduler::BlocksForGuesses(std::span<const int64_t> rows) const {
  int64_t blocks = engine_.pool().Available();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] > 0 && running_[i].task->left() > 1) return 0;
    blocks -= NewBlocks(*running_[i].task, rows[i]);
  }
  return blocks;
}

// For so many rows of each task: the last tasks give way.
void Scheduler::MakeRoom(std::vector<int64_t>& rows) {
  while (true) {
    int64_t needed = 0;
    for (size_t i = 0; i < rows.size(); ++i) needed += NewBlocks(*running_[i].task, rows[i]);
    if (needed <= engine_.pool().Available()) return;
    // Of the first task alone: what is on its way to those who gave way holds the rest.
    if (running_.size() == 1) return engine_.EndFetchingKv();
    Preempt();
    rows.pop_back();
  }
}

void Scheduler::Preempt() {
  ReturnLast();
  const std::lock_guard lock(mutex_);
  ++stats_.preemptions;
}

// The last task waits again.
void Scheduler::ReturnLast() {
  running_.back().task->Stop();
  const std::lock_guard lock(mutex_);
  waiting_.push_front(std::move(running_.back()));
  running_.pop_back();
}

// For want of memory.
void Scheduler::GiveWay() {
  Forget();
  if (running_.empty()) return;
  RunningTask& last = *running_.back().task;
  if (running_.size() == 1) return FailForMemory(last);
  OrFail(last, [&] { Preempt(); });
}

// Those that are over.
void Scheduler::Forget() {
  const auto over = std::stable_partition(
      running_.begin(), running_.end(), [](const Entry& entry) { return !entry.task->is_over(); });
  if (over == running_.begin()) engine_.StopFetchingKv();
  Count({over, running_.end()});
  running_.erase(over, running_.end());
}

void Scheduler::Count(std::span<const Entry> over, const SchedulerStats& pass) {
  const BlockPool& pool = engine_.pool();
  const std::lock_guard lock(mutex_);
  stats_.kv_usage = 1 - static_cast<double>(pool.Available()) / pool.limit();
  stats_.tokens += pass.tokens;
  stats_.drafts += pass.drafts;
  stats_.guesses += pass.guesses;
  stats_.accepted += pass.accepted;
  for (const Entry& entry : over) {
    stats_.prompt_tokens += entry.task->counts().prompt_tokens;
    stats_.cached_tokens += entry.task->counts().cached_tokens;
  }
  unfinished_ -= std::ssize(over);
  if (unfinished_ == 0) idle_.notify_all();
}

}  // namespace bitfetch
