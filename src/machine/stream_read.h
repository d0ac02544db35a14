// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_STREAM_READ_H_
#define BITFETCH_MACHINE_STREAM_READ_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "machine/cold_buffer.h"

namespace bitfetch {

// The yardstick of benchmarks: this machine's best streaming read, made to be interleaved with what
// is measured against it.
class StreamRead {
 public:
  // Bytes that exceed all last-level caches four times and are 128 MiB at least, but no more than a
  // quarter of the memory that is available (and never less than 4 MiB).
  static size_t ColdBytes(int64_t last_level_bytes, int64_t available_bytes);
  static size_t ColdBytes();  // on this machine, now

  // Allocates and touches `bytes`, then tries the ways to read (plain loads at every width, and
  // prefetched ones over 1 to 8 streams) a few times each and keeps the best for all threads of the
  // pool. Takes some ten passes. The pool must outlive it. Fails if there is no memory.
  static Result<StreamRead> Create(ThreadPool& pool, size_t bytes, PageSize pages);

  // Reads everything once with all threads; returns GB/s (10^9 bytes).
  double Once();

  size_t bytes() const { return buffer_.size(); }
  const ColdBuffer& buffer() const { return buffer_; }

 private:
  StreamRead(ThreadPool& pool, ColdBuffer buffer) : pool_(&pool), buffer_(std::move(buffer)) {}

  ThreadPool* pool_;
  ColdBuffer buffer_;
  ReadStyle style_;
};

// The ways to read that are worth trying: every width, plain and over 1, 2, 4 and 8 streams.
std::vector<ReadStyle> ReadStyles();

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_STREAM_READ_H_
