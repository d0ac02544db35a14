// SPDX-License-Identifier: Apache-2.0
#include "machine/stream_read.h"

#include <algorithm>

#include "machine/topology.h"

namespace bitfetch {

std::vector<ReadStyle> ReadStyles() {
  std::vector<ReadStyle> styles;
  for (int width : ReadWidths()) {
    for (int streams : {0, 1, 2, 4, 8}) {
      styles.push_back({.width_bytes = width, .streams = streams});
    }
  }
  return styles;
}

size_t StreamRead::ColdBytes(int64_t last_level_bytes, int64_t available_bytes) {
  const int64_t wanted = std::max<int64_t>(4 * last_level_bytes, 128 << 20);
  return static_cast<size_t>(std::clamp<int64_t>(available_bytes / 4, 4 << 20, wanted));
}

size_t StreamRead::ColdBytes() {
  return ColdBytes(ReadTopology().last_level_bytes, AvailableMemory());
}

Result<StreamRead> StreamRead::Create(ThreadPool& pool, size_t bytes, PageSize pages) {
  BITFETCH_ASSIGN_OR_RETURN(ColdBuffer buffer, ColdBuffer::Create(pool, bytes, pages));
  StreamRead read(pool, std::move(buffer));
  const std::vector<ReadStyle> styles = ReadStyles();
  std::vector<double> best(styles.size(), 0);
  // In turn, so that a slow moment of the machine hits all of them alike.
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 0; i < styles.size(); ++i) {
      best[i] = std::max(best[i], read.buffer_.Read(pool, pool.threads(), read.bytes() / 5,
                                                    /*shuffled=*/false, styles[i]));
    }
  }
  read.style_ = styles[std::max_element(best.begin(), best.end()) - best.begin()];
  return read;
}

double StreamRead::Once() {
  return buffer_.Read(*pool_, pool_->threads(), bytes(), /*shuffled=*/false, style_) * 1e-9;
}

}  // namespace bitfetch
