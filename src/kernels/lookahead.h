// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_LOOKAHEAD_H_
#define BITFETCH_KERNELS_LOOKAHEAD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "prefetch/instruction.h"

namespace bitfetch {

// Where the lines lie that attention will read a fixed number of bytes from now. Attention walks
// the blocks of a chunk side by side, each from its first head to its last; so do the prefetches,
// each stream `lead` bytes further on, which may be in a later chunk.
class Lookahead {
 public:
  explicit Lookahead(const AttendJob& job)
      : kv_(job.kv),
        last_tile_((job.end - 1) / kTileTokens),
        block_bytes_(job.kv.layout.block_bytes()) {
    const size_t lines =
        (static_cast<size_t>(job.distance_bytes) + kChunkTiles * kCacheLineBytes - 1) /
        (kChunkTiles * kCacheLineBytes);
    chunks_ = static_cast<int64_t>(lines * kCacheLineBytes / block_bytes_);
    lead_ = lines * kCacheLineBytes % block_bytes_;
  }

  // Attention begins a chunk at this tile. Past the end, the last tile stands in: its lines are in
  // the cache already.
  void StartChunk(int64_t tile) {
    for (int stream = 0; stream < kChunkTiles; ++stream) {
      const int64_t ahead = tile + stream + chunks_ * kChunkTiles;
      this_chunk_[stream] = kv_.Block(std::min(ahead, last_tile_));
      next_chunk_[stream] = kv_.Block(std::min(ahead + kChunkTiles, last_tile_));
    }
  }

  // What lies ahead of `offset` bytes into the block of a stream (0 .. 3).
  const std::byte* Address(int stream, size_t offset) const {
    const size_t there = offset + lead_;
    return there < block_bytes_ ? this_chunk_[stream] + there
                                : next_chunk_[stream] + (there - block_bytes_);
  }

  // Whether what lies ahead of `bytes` from there on is in two places.
  bool IsSplit(size_t offset, size_t bytes) const {
    return offset + lead_ < block_bytes_ && offset + lead_ + bytes > block_bytes_;
  }

 private:
  const KvView& kv_;
  int64_t last_tile_;
  size_t block_bytes_;
  int64_t chunks_;  // how many whole chunks ahead
  size_t lead_;     // and how many bytes into a block
  const std::byte* this_chunk_[kChunkTiles];
  const std::byte* next_chunk_[kChunkTiles];
};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_LOOKAHEAD_H_
