// SPDX-License-Identifier: Apache-2.0
#include "engine/bench_attention.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/thread_pool.h"
#include "kernels/attention.h"
#include "kv/kv_cache.h"
#include "machine/probe.h"
#include "machine/stream_read.h"
#include "machine/topology.h"
#include "text/sampler.h"

namespace bitfetch {
namespace {

// What is read in one measurement, at least: long enough for the clock, and for fork and join to
// weigh little.
constexpr int64_t kPassBytes = int64_t{32} << 20;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<float> RandomFloats(int64_t count) {
  Random random(1);
  std::vector<float> floats(count);
  for (float& value : floats) value = static_cast<float>(2 * random.NextUnit() - 1);
  return floats;
}

// A cache of so many layers that rotating through them finds each one cold.
Result<KvCache> MakeColdCache(const AttentionBenchOptions& options, const AttentionBenchRow& row,
                              size_t cold_bytes) {
  const KvLayout layout{options.kv_heads, options.head_dim, row.kv_types};
  const auto blocks = static_cast<size_t>((row.n_kv + kTileTokens - 1) / kTileTokens);
  const size_t layer_bytes = blocks * layout.block_bytes();
  BITFETCH_ASSIGN_OR_RETURN(
      KvCache cache, KvCache::Create({.layers = static_cast<int>(cold_bytes / layer_bytes) + 1,
                                      .kv_heads = options.kv_heads,
                                      .head_dim = options.head_dim,
                                      .types = row.kv_types,
                                      .limit = row.n_kv,
                                      .pages = row.pages,
                                      .placement = row.placement}));
  const std::vector<float> tokens =
      RandomFloats(int64_t{kTileTokens} * options.kv_heads * options.head_dim);
  for (int layer = 0; layer < cache.layers(); ++layer) {
    for (int64_t done = 0; done < row.n_kv; done += kTileTokens) {
      const int64_t count = std::min<int64_t>(kTileTokens, row.n_kv - done);
      BITFETCH_RETURN_IF_ERROR(cache.Append(layer, count, tokens.data(), tokens.data()));
    }
  }
  return cache;
}

// Attention over one layer after the other, on and on.
class Rotation {
 public:
  Rotation(const KvCache& cache, Attention& attention, int group)
      : cache_(cache), attention_(attention), group_(group) {
    const KvLayout layout = cache.View(0)->layout;
    layer_bytes_ = static_cast<int64_t>(layout.block_bytes()) * cache.length() / kTileTokens;
    const int64_t floats = int64_t{layout.kv_heads} * group * layout.head_dim;
    queries_ = RandomFloats(floats);
    out_.resize(floats);
  }

  // One pass; returns GB/s.
  double Pass(int64_t distance_bytes) {
    const int64_t runs = std::min<int64_t>(kPassBytes / layer_bytes_ + 1, cache_.layers());
    const double start = Seconds();
    for (int64_t i = 0; i < runs; ++i) {
      next_layer_ = (next_layer_ + 1) % cache_.layers();
      attention_.Run(*cache_.View(next_layer_), group_, queries_.data(), 1, distance_bytes,
                     out_.data());
    }
    return static_cast<double>(runs * layer_bytes_) / (Seconds() - start) * 1e-9;
  }

 private:
  const KvCache& cache_;
  Attention& attention_;
  int group_;
  int64_t layer_bytes_;
  int next_layer_ = 0;
  std::vector<float> queries_;
  std::vector<float> out_;
};

// The rows of one place and shape, one for each prefetch setting, measured in turn.
Result<std::vector<AttentionBenchRow>> MeasureTogether(const AttentionBenchOptions& options,
                                                       AttentionBenchRow row,
                                                       const Kernels& kernels,
                                                       const MachineProfile& profile,
                                                       ThreadPool& pool, StreamRead& read) {
  BITFETCH_ASSIGN_OR_RETURN(const KvCache cache, MakeColdCache(options, row, read.bytes()));
  Attention attention(kernels, pool);
  Rotation rotation(cache, attention, options.group);

  const size_t count = options.prefetch.size();
  std::vector<PrefetchPlan> plans;
  for (const PrefetchSetting& setting : options.prefetch) {
    plans.push_back(PlanAttention(setting, profile, cache.View(0)->layout, row.placement, row.pages,
                                  options.group, row.threads));
    rotation.Pass(plans.back().distance_bytes);
  }
  std::vector<double> reads;
  std::vector<std::vector<double>> speeds(count);
  std::vector<std::vector<double>> fractions(count);
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    reads.push_back(read.Once());
    for (size_t i = 0; i < count; ++i) {
      const size_t setting =
          (i + repeat) % count;  // none is always the first after the streaming read
      const double speed = rotation.Pass(plans[setting].distance_bytes);
      speeds[setting].push_back(speed);
      fractions[setting].push_back(speed / reads.back());
    }
  }

  std::vector<AttentionBenchRow> rows;
  for (size_t i = 0; i < count; ++i) {
    row.prefetch = options.prefetch[i];
    row.distance_bytes = plans[i].distance_bytes;
    row.streams = kChunkTiles;
    row.gb_per_s = SpreadOf(speeds[i]);
    row.read_gb_per_s = SpreadOf(reads);
    row.fraction = SpreadOf(fractions[i]);
    row.repeats = options.repeats;
    rows.push_back(row);
  }
  return rows;
}

Status CheckOptions(const AttentionBenchOptions& options) {
  if (options.kv_heads < 1 || options.group < 1 || options.head_dim < 1) {
    return Fail("attention of {} KV heads, {} query heads to each and {} dims is not possible",
                options.kv_heads, options.group, options.head_dim);
  }
  if (options.repeats < 1) return Fail("{} repeats are too few", options.repeats);
  for (const int64_t n_kv : options.n_kv) {
    if (n_kv < 1) return Fail("a cache of {} tokens is not possible", n_kv);
  }
  return {};
}

}  // namespace

Result<std::vector<AttentionBenchRow>> BenchAttention(
    const AttentionBenchOptions& options,
    const std::function<void(const AttentionBenchRow&, int64_t done, int64_t total)>& on_row) {
  BITFETCH_RETURN_IF_ERROR(CheckOptions(options));
  const Topology topology = ReadTopology();
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  const ProbedProfile probed = ReadOrMeasureProfile(topology, ProbeEffort::kTune, BITFETCH_VERSION);
  const auto total = static_cast<int64_t>(options.threads.size() * options.pages.size() *
                                          options.kv_types.size() * options.placements.size() *
                                          options.n_kv.size() * options.prefetch.size());
  std::vector<AttentionBenchRow> rows;
  for (const int threads : options.threads) {
    BITFETCH_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Create(threads));
    for (const PageSize pages : options.pages) {
      BITFETCH_ASSIGN_OR_RETURN(StreamRead read,
                                StreamRead::Create(*pool, StreamRead::ColdBytes(topology), pages));
      for (const KvTypes types : options.kv_types) {
        for (const BlockPlacement placement : options.placements) {
          for (const int64_t n_kv : options.n_kv) {
            AttentionBenchRow row{};
            row.n_kv = n_kv;
            row.threads = threads;
            row.kv_types = types;
            row.placement = placement;
            row.pages = pages;
            BITFETCH_ASSIGN_OR_RETURN(
                const auto measured,
                MeasureTogether(options, row, *kernels, probed.profile, *pool, read));
            for (const AttentionBenchRow& each : measured) {
              rows.push_back(each);
              if (on_row) on_row(each, static_cast<int64_t>(rows.size()), total);
            }
          }
        }
      }
    }
  }
  return rows;
}

}  // namespace bitfetch
