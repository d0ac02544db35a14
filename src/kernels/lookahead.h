// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_LOOKAHEAD_H_
#define BITFETCH_KERNELS_LOOKAHEAD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/fetch_into.h"
#include "kernels/kernels.h"

namespace bitfetch {

// How many tiles attention takes together, head by head: as many as are prefetched in turn, in
// whole chunks, for results depend on where those begin; a range at most.
inline int WalkTiles(const PrefetchPlan& plan) {
  return std::clamp<int>(plan.streams / kChunkTiles * kChunkTiles, kChunkTiles,
                         kRangeTokens / kTileTokens);
}

// The lines that attention will read, in its order, beginning a fixed distance ahead of where it
// begins: head by head over the tiles of a walk, K before V, a line of each stream in turn. A
// kernel that takes one for each line that it reads stays that distance behind.
class Lookahead {
 public:
  explicit Lookahead(const AttendJob& job) : job_(job), first_tile_(job.begin / kTileTokens) {
    Resume();
    StartWalk();
    int64_t lines = job.prefetch.distance_bytes / static_cast<int64_t>(kCacheLineBytes);
    while (!done_ && lines >= PieceLines()) {
      lines -= PieceLines();
      NextPiece();
    }
    if (done_) return;
    offset_ += lines / streams_ * kCacheLineBytes;
    stream_ = static_cast<int>(lines % streams_);
  }

  // Where the lines ahead go: nowhere while it is paused, or the job's plan is off.
  FetchInto into() const { return into_; }
  void Pause() { into_ = FetchInto::kNowhere; }
  void Resume() { into_ = IntoOf(job_.prefetch); }

  // Calls take(line) for the next `lines` lines, as far as there are any. Costs a few instructions
  // a line.
  template <class Function>
  [[gnu::always_inline]] void Take(size_t lines, const Function& take) {
    int stream = stream_;
    for (size_t i = 0; i < lines && !done_; ++i) {
      take(tiles_[stream] + offset_);
      if (++stream < streams_) continue;
      stream = 0;
      offset_ += kCacheLineBytes;
      if (offset_ == end_) NextPiece();
    }
    stream_ = stream;
  }

  // Prefetches the next `lines` lines, unless it is paused.
  [[gnu::always_inline]] void Fetch(size_t lines) {
    if (into_ == FetchInto::kNowhere) return;
    Take(lines, [this](const std::byte* line) { FetchLine(into_, line); });
  }

  // The next `lines` lines, a multiple of kSlots, for a kernel to prefetch between its own steps:
  // line i is number i / kSlots of slot i % kSlots, whose lines are `stride` bytes apart. Costs an
  // instruction or two a line; where the lines lie in several pieces, they are prefetched at once,
  // and the slots hold a line that was prefetched before, as they do past the end.
  static constexpr int kSlots = 4;
  struct Slots {
    const std::byte* next[kSlots];
    size_t stride;
  };
  [[gnu::always_inline]] Slots TakeSlots(size_t lines) {
    Slots slots = slots_;
    const size_t bytes = lines / kSlots * slots.stride;
    if (bytes > 0 && stream_ == 0 && offset_ + bytes <= end_) [[likely]] {
      for (const std::byte*& next : slots.next) next += offset_;
      offset_ += bytes;
      if (offset_ == end_) NextPiece();
    } else {
      Fetch(lines);
      std::fill(slots.next, slots.next + kSlots, tiles_[0] + part_);
      slots.stride = 0;
    }
    return slots;
  }

 private:
  const KvLayout& layout() const { return job_.kv.layout; }
  int64_t PieceLines() const {
    return static_cast<int64_t>((end_ - offset_) / kCacheLineBytes) * streams_;
  }

  void StartWalk() {
    const int64_t tiles = (job_.end + kTileTokens - 1) / kTileTokens - first_tile_;
    if (tiles <= 0) return Finish();
    walk_tiles_ = static_cast<int>(std::min<int64_t>(tiles, WalkTiles(job_.prefetch)));
    head_ = job_.first_head;
    StartPart(/*values=*/false);
  }

  void StartPart(bool values) {
    values_ = values;
    part_ = head_ * layout().head_bytes() + (values ? layout().k_tile_bytes() : 0);
    StartPiece(0);
  }

  void StartPiece(int first_stream) {
    first_stream_ = first_stream;
    streams_ = std::min(job_.prefetch.streams, walk_tiles_ - first_stream);
    for (int i = 0; i < streams_; ++i) {
      tiles_[i] = job_.kv.Block(first_tile_ + first_stream + i);
    }
    offset_ = part_;
    end_ = part_ + (values_ ? layout().v_tile_bytes() : layout().k_tile_bytes());
    slots_.stride = kSlots % streams_ == 0 ? kSlots / streams_ * kCacheLineBytes : 0;
    for (int i = 0; i < kSlots; ++i) {
      slots_.next[i] = tiles_[i % streams_] + i / streams_ * kCacheLineBytes;
    }
  }

  [[gnu::noinline]] void NextPiece() {
    if (first_stream_ + streams_ < walk_tiles_) {
      StartPiece(first_stream_ + streams_);
    } else if (!values_) {
      StartPart(/*values=*/true);
    } else if (++head_ < job_.end_head) {
      StartPart(/*values=*/false);
    } else {
      first_tile_ += walk_tiles_;
      StartWalk();
    }
  }

  void Finish() {
    done_ = true;
    tiles_[0] = job_.kv.Block((job_.end - 1) / kTileTokens);
    slots_.stride = 0;
  }

  const AttendJob& job_;
  FetchInto into_ = FetchInto::kNowhere;
  int64_t first_tile_;  // of the walk
  int walk_tiles_ = 0;
  int head_ = 0;
  bool values_ = false;   // rather than keys
  size_t part_ = 0;       // where the keys or values begin in a block
  int first_stream_ = 0;  // of the piece, in the walk
  int streams_ = 1;       // of the piece
  int stream_ = 0;
  size_t offset_ = 0;  // into the blocks
  size_t end_ = 0;     // of the piece
  bool done_ = false;
  Slots slots_ = {};  // of the piece, less the offset; stride 0: its streams fill no slots evenly
  const std::byte* tiles_[kRangeTokens / kTileTokens] = {};  // [streams_] blocks
};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_LOOKAHEAD_H_
