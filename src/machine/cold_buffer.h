// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_COLD_BUFFER_H_
#define BITFETCH_MACHINE_COLD_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "machine/read_segments.h"

namespace bitfetch {

// Zeroed memory several times larger than the caches, to be read piece by piece in rotation, so
// that each piece comes from DRAM. Its segments can be read in order or in shuffled places.
class ColdBuffer {
 public:
  // Every thread of the pool first touches (and so places) a part. Touching stops when NowNs()
  // passes `deadline_ns`: size() is then what was touched. Fails if less than 4 MiB were, or if
  // there is no memory.
  static Result<ColdBuffer> Create(ThreadPool& pool, size_t bytes, PageSize pages,
                                   double deadline_ns = std::numeric_limits<double>::infinity());

  size_t size() const { return segments_ * kReadSegmentBytes; }
  std::span<const std::byte> bytes() const { return {memory_.data(), size()}; }
  const PageBuffer& memory() const { return memory_; }

  // What the next Read of `bytes` takes, split among the first `threads` of a pool.
  struct Piece {
    const std::byte* base;
    std::span<const uint32_t> order;  // segments
    std::span<const uint32_t> OfThread(int thread, int threads) const;
  };
  Piece NextPiece(size_t bytes, bool shuffled);

  // The next `bytes` (at most size(), and rounded up to whole segments), for whoever reads them in
  // a way of its own.
  std::span<const std::byte> NextBytes(size_t bytes);

  // Reads the next `bytes` (at most size()) with the pool's first `threads` threads; returns bytes
  // per second, of what was really read.
  double Read(ThreadPool& pool, int threads, size_t bytes, bool shuffled, const ReadStyle& style);

 private:
  ColdBuffer() = default;

  size_t TakeSegments(size_t segments);  // the first of so many, of which none was read lately

  PageBuffer memory_;
  size_t segments_ = 0;
  size_t next_segment_ = 0;
  std::vector<uint32_t> in_order_;
  std::vector<uint32_t> shuffled_;  // within windows of 16 MiB, so that both rotate alike
};

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_COLD_BUFFER_H_
