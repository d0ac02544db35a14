// SPDX-License-Identifier: Apache-2.0
#include "bench/memory_bench.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/thread_pool.h"
#include "machine/cold_buffer.h"
#include "machine/stream_read.h"

namespace bitfetch {
namespace {

// The buffer is read in so many parts; of each a thread has so many segments at least.
constexpr size_t kParts = 4;
constexpr size_t kMinSegments = 32;

// Looks at each style before measuring, to find the best width of a load.
constexpr int kLooks = 3;

// One read of a part of the buffer, in GB/s. A part is large enough for the clock, and the whole
// large enough for the caches to have forgotten it when its turn comes again.
double ReadPart(ColdBuffer& buffer, ThreadPool& pool, BlockPlacement placement,
                const ReadStyle& style) {
  return buffer.Read(pool, pool.threads(), buffer.size() / kParts,
                     placement == BlockPlacement::kShuffled, style) *
         1e-9;
}

// Of every number of streams, the style with the best width.
std::vector<ReadStyle> BestWidths(ColdBuffer& buffer, ThreadPool& pool) {
  struct Best {
    double gb_per_s = 0;
    ReadStyle style;
  };
  std::map<int, Best> best;
  for (int look = 0; look < kLooks; ++look) {
    for (const ReadStyle& style : ReadStyles()) {
      const double speed = ReadPart(buffer, pool, BlockPlacement::kContiguous, style);
      Best& so_far = best[style.streams];
      if (speed > so_far.gb_per_s) so_far = {speed, style};
    }
  }
  std::vector<ReadStyle> styles;
  styles.reserve(best.size());
  for (const auto& [streams, found] : best) styles.push_back(found.style);
  return styles;
}

// The rows of one number of threads and page size.
std::vector<MemoryBenchRow> MeasureTogether(const MemoryBenchOptions& options,
                                            const std::vector<ReadStyle>& styles,
                                            ColdBuffer& buffer, ThreadPool& pool, PageSize pages) {
  // What is measured in each pass; address order is always there, as the yardstick.
  struct Series {
    BlockPlacement placement;
    ReadStyle style;
    std::vector<double> speeds;
  };
  std::vector<Series> all;
  for (const BlockPlacement placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    const bool wanted = std::ranges::count(options.placements, placement) > 0;
    if (!wanted && placement == BlockPlacement::kShuffled) continue;
    for (const ReadStyle& style : styles) all.push_back({placement, style, {}});
  }

  std::vector<double> reads;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    double best = 0;
    for (Series& series : all) {
      series.speeds.push_back(ReadPart(buffer, pool, series.placement, series.style));
      if (series.placement == BlockPlacement::kContiguous) {
        best = std::max(best, series.speeds.back());
      }
    }
    reads.push_back(best);
  }

  std::vector<MemoryBenchRow> rows;
  for (const BlockPlacement placement : options.placements) {
    for (const Series& series : all) {
      if (series.placement != placement) continue;
      const int streams = series.style.streams;
      rows.push_back(
          {.threads = pool.threads(),
           .placement = placement,
           .pages = pages,
           .streams = streams,
           .distance_bytes = streams == 0 ? 0 : static_cast<int64_t>(series.style.distance_bytes),
           .gb_per_s = SpreadOf(series.speeds),
           .read_gb_per_s = SpreadOf(reads),
           .fraction = SpreadOf(Ratios(series.speeds, reads)),
           .repeats = options.repeats});
    }
  }
  return rows;
}

}  // namespace

Result<std::vector<MemoryBenchRow>> BenchMemory(
    const MemoryBenchOptions& options,
    const std::function<Status(const MemoryBenchRow&, int64_t done, int64_t total)>& on_row) {
  if (options.repeats < 1) return Fail("{} repeats are too few", options.repeats);
  const size_t cold_bytes = StreamRead::ColdBytes();
  std::vector<MemoryBenchRow> rows;
  for (const int threads : options.threads) {
    BITFETCH_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Create(threads));
    const size_t bytes = std::max(cold_bytes, kParts * threads * kMinSegments * kReadSegmentBytes);
    for (const PageSize pages : options.pages) {
      BITFETCH_ASSIGN_OR_RETURN(ColdBuffer buffer, ColdBuffer::Create(*pool, bytes, pages));
      const std::vector<ReadStyle> styles = BestWidths(buffer, *pool);
      const auto total = static_cast<int64_t>(options.threads.size() * options.pages.size() *
                                              options.placements.size() * styles.size());
      for (const MemoryBenchRow& row : MeasureTogether(options, styles, buffer, *pool, pages)) {
        rows.push_back(row);
        if (on_row) BITFETCH_RETURN_IF_ERROR(on_row(row, static_cast<int64_t>(rows.size()), total));
      }
    }
  }
  return rows;
}

}  // namespace bitfetch
