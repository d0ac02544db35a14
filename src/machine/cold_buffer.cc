// SPDX-License-Identifier: Apache-2.0
#include "machine/cold_buffer.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>

#include "machine/clock.h"

namespace bitfetch {
namespace {

constexpr size_t kStepBytes = 4 << 20;  // touched by one thread between two looks at the clock
constexpr size_t kSmallPageBytes = 4 << 10;
constexpr size_t kWindowSegments = (16 << 20) / kReadSegmentBytes;

// Whole sixteens of ReadSegments.
size_t RoundDown(size_t segments) { return segments / 16 * 16; }

}  // namespace

Result<ColdBuffer> ColdBuffer::Create(ThreadPool& pool, size_t bytes, PageSize pages,
                                      double deadline_ns) {
  ColdBuffer buffer;
  BITFETCH_ASSIGN_OR_RETURN(buffer.memory_, PageBuffer::Allocate(bytes, pages));
  const auto steps = static_cast<int64_t>(bytes / kStepBytes);
  if (steps == 0) return Fail("{} bytes are too few to measure memory with", bytes);
  std::atomic<int64_t> touched{steps};  // the first steps, whole
  pool.ParallelFor(steps, [&](int64_t step, int) {
    if (NowNs() < deadline_ns) {
      for (size_t at = 0; at < kStepBytes; at += kSmallPageBytes) {
        // The system fills with zeros whatever page is written to.
        buffer.memory_.data()[step * kStepBytes + at] = std::byte{0};
      }
      return;
    }
    for (int64_t seen = touched; step < seen && !touched.compare_exchange_weak(seen, step);) {
    }
  });
  buffer.segments_ = touched * (kStepBytes / kReadSegmentBytes);
  if (buffer.segments_ == 0) return Fail("there was no time to measure memory");

  buffer.in_order_.resize(buffer.segments_);
  std::iota(buffer.in_order_.begin(), buffer.in_order_.end(), 0);
  buffer.shuffled_ = buffer.in_order_;
  std::minstd_rand random(1);
  for (size_t first = 0; first < buffer.segments_; first += kWindowSegments) {
    const auto begin = buffer.shuffled_.begin() + first;
    std::shuffle(begin, begin + std::min(kWindowSegments, buffer.segments_ - first), random);
  }
  return buffer;
}

std::span<const uint32_t> ColdBuffer::Piece::OfThread(int thread, int threads) const {
  const size_t each = RoundDown(order.size() / threads);
  return order.subspan(each * thread, each);
}

ColdBuffer::Piece ColdBuffer::NextPiece(size_t bytes, bool shuffled) {
  const size_t segments = std::min(RoundDown(bytes / kReadSegmentBytes), segments_);
  const std::span<const uint32_t> order(shuffled ? shuffled_ : in_order_);
  return {memory_.data(), order.subspan(TakeSegments(segments), segments)};
}

std::span<const std::byte> ColdBuffer::NextBytes(size_t bytes) {
  const size_t segments = std::min((bytes + kReadSegmentBytes - 1) / kReadSegmentBytes, segments_);
  return this->bytes().subspan(TakeSegments(segments) * kReadSegmentBytes,
                               segments * kReadSegmentBytes);
}

size_t ColdBuffer::TakeSegments(size_t segments) {
  if (next_segment_ + segments > segments_) next_segment_ = 0;
  const size_t first = next_segment_;
  next_segment_ += segments;
  return first;
}

double ColdBuffer::Read(ThreadPool& pool, int threads, size_t bytes, bool shuffled,
                        const ReadStyle& style) {
  const Piece piece = NextPiece(bytes, shuffled);
  std::atomic<uint64_t> sum{0};
  const double begin = NowNs();
  pool.Run([&](int thread) {
    if (thread >= threads) return;
    sum.fetch_add(ReadSegments(piece.base, piece.OfThread(thread, threads), style),
                  std::memory_order_relaxed);
  });
  const double ns = std::max(NowNs() - begin, 1.0);
  const size_t read = piece.OfThread(0, threads).size_bytes() / sizeof(uint32_t) * threads;
  return static_cast<double>(read * kReadSegmentBytes) / ns * 1e9;
}

}  // namespace bitfetch
