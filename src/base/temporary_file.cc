// SPDX-License-Identifier: Apache-2.0
#include "base/temporary_file.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

namespace bitfetch {
namespace {

std::atomic_flag locked;

// Takes the list for the caller alone. A handler may wait for it, so whoever has it takes no
// signal, allocates nothing (another thread may have been interrupted with the allocator's lock),
// and is soon done.
void LockList(sigset_t* signals_before) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, signals_before);
  while (locked.test_and_set(std::memory_order_acquire)) sched_yield();
}

class ListLock {
 public:
  ListLock() { LockList(&signals_before_); }
  ~ListLock() {
    locked.clear(std::memory_order_release);
    pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
  }
  ListLock(const ListLock&) = delete;
  ListLock& operator=(const ListLock&) = delete;

 private:
  sigset_t signals_before_;
};

TemporaryFile* first = nullptr;

void Remove(const char* path) {
  if (unlink(path) != 0 && errno == EISDIR) rmdir(path);
}

}  // namespace

TemporaryFile::TemporaryFile(std::string path) : path_(std::move(path)) {
  const ListLock lock;
  Enter();
}

std::unique_ptr<TemporaryFile> TemporaryFile::Create(std::string path, mode_t mode, int* fd) {
  std::unique_ptr<TemporaryFile> file(new TemporaryFile);
  file->path_ = std::move(path);
  // No signal comes between the two: one before would find nothing, and one after an entry.
  const ListLock lock;
  *fd = open(file->path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (*fd < 0) return nullptr;
  file->Enter();
  return file;
}

TemporaryFile::~TemporaryFile() {
  if (!entered_) return;
  const ListLock lock;
  Remove(path_.c_str());
  Leave();
}

bool TemporaryFile::MoveTo(const std::string& path) {
  const ListLock lock;
  if (rename(path_.c_str(), path.c_str()) != 0) return false;
  Leave();
  return true;
}

void TemporaryFile::Enter() {
  entered_ = true;
  after_ = first;
  if (first != nullptr) first->before_ = this;
  first = this;
}

void TemporaryFile::Leave() {
  entered_ = false;
  (before_ != nullptr ? before_->after_ : first) = after_;
  if (after_ != nullptr) after_->before_ = before_;
}

void RemoveTemporaryFiles() {
  LockList(nullptr);
  for (const TemporaryFile* file = first; file != nullptr; file = file->after_) {
    Remove(file->path_.c_str());
  }
}

}  // namespace bitfetch
