// SPDX-License-Identifier: Apache-2.0
#include "engine/bench_attention.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/thread_pool.h"
#include "kernels/attention.h"
#include "kernels/attention_probe.h"
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

// What is rotated through: one long sequence, each slice of which is a cache of n_kv tokens to
// attention. All slices together exceed the caches, so that each is cold when its turn comes.
class Slices {
 public:
  static Result<Slices> Create(const AttentionBenchOptions& options, const AttentionBenchRow& row,
                               size_t cold_bytes) {
    const KvLayout layout{options.kv_heads, options.head_dim, row.kv_types};
    const int64_t blocks = (row.n_kv + kTileTokens - 1) / kTileTokens;
    const int64_t count = static_cast<int64_t>(cold_bytes / (blocks * layout.block_bytes())) + 2;
    const int64_t tokens = count * blocks * kTileTokens;
    if (static_cast<double>(count * blocks) * static_cast<double>(layout.block_bytes()) >
        static_cast<double>(AvailableMemory())) {
      return Fail("{} tokens of KV cache do not fit into memory", tokens);
    }
    BITFETCH_ASSIGN_OR_RETURN(KvCache cache, KvCache::Create({.layers = 1,
                                                              .kv_heads = options.kv_heads,
                                                              .head_dim = options.head_dim,
                                                              .types = row.kv_types,
                                                              .limit = tokens,
                                                              .pages = row.pages,
                                                              .placement = row.placement}));
    const std::vector<float> block =
        RandomFloats(int64_t{kTileTokens} * options.kv_heads * options.head_dim);
    for (int64_t done = 0; done < tokens; done += kTileTokens) {
      BITFETCH_RETURN_IF_ERROR(cache.Append(0, kTileTokens, block.data(), block.data()));
    }
    return Slices(std::move(cache), row.n_kv, blocks, count);
  }

  KvView Next() {
    next_ = (next_ + 1) % count_;
    KvView view = *cache_.View(0);
    view.blocks += next_ * blocks_;
    view.length = n_kv_;
    return view;
  }

  int64_t count() const { return count_; }
  int64_t bytes() const {  // of a slice
    return static_cast<int64_t>(cache_.View(0)->layout.block_bytes()) * n_kv_ / kTileTokens;
  }
  KvLayout layout() const { return cache_.View(0)->layout; }

 private:
  Slices(KvCache cache, int64_t n_kv, int64_t blocks, int64_t count)
      : cache_(std::move(cache)), n_kv_(n_kv), blocks_(blocks), count_(count) {}

  KvCache cache_;
  int64_t n_kv_;
  int64_t blocks_;  // of a slice
  int64_t count_;   // of slices
  int64_t next_ = 0;
};

// Decode attention over one slice after the other, on and on.
class Rotation {
 public:
  Rotation(Slices& slices, Attention& attention, int group)
      : slices_(slices),
        attention_(attention),
        group_(group),
        queries_(
            RandomFloats(int64_t{slices.layout().kv_heads} * group * slices.layout().head_dim)),
        out_(queries_.size()) {}

  // One pass; returns GB/s.
  double Pass(const PrefetchPlan& plan) {
    const int64_t runs = std::min(kPassBytes / slices_.bytes() + 1, slices_.count());
    const double start = Seconds();
    for (int64_t i = 0; i < runs; ++i) {
      attention_.Run(slices_.Next(), group_, queries_.data(), 1, plan, out_.data());
    }
    return static_cast<double>(runs * slices_.bytes()) / (Seconds() - start) * 1e-9;
  }

 private:
  Slices& slices_;
  Attention& attention_;
  int group_;
  std::vector<float> queries_;
  std::vector<float> out_;
};

// The rows of one place and shape, one for each prefetch setting, measured in turn.
Result<std::vector<AttentionBenchRow>> MeasureTogether(const AttentionBenchOptions& options,
                                                       AttentionBenchRow row,
                                                       const Kernels& kernels,
                                                       const MachineProfile& profile,
                                                       ThreadPool& pool, StreamRead& read) {
  BITFETCH_ASSIGN_OR_RETURN(Slices slices, Slices::Create(options, row, read.bytes()));
  Attention attention(kernels, pool);
  Rotation rotation(slices, attention, options.group);

  const size_t count = options.prefetch.size();
  std::vector<PrefetchPlan> plans;
  for (const PrefetchSetting& setting : options.prefetch) {
    plans.push_back(ResolvePrefetch(setting, profile,
                                    AttentionAccess(kernels.isa, slices.layout(), row.placement,
                                                    row.pages, options.group, row.threads)));
    rotation.Pass(plans.back());
  }
  std::vector<double> reads;
  std::vector<std::vector<double>> speeds(count);
  std::vector<std::vector<double>> fractions(count);
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    reads.push_back(read.Once());
    for (size_t i = 0; i < count; ++i) {
      const size_t setting =
          (i + repeat) % count;  // none is always the first after the streaming read
      const double speed = rotation.Pass(plans[setting]);
      speeds[setting].push_back(speed);
      fractions[setting].push_back(speed / reads.back());
    }
  }

  std::vector<AttentionBenchRow> rows;
  for (size_t i = 0; i < count; ++i) {
    row.prefetch = options.prefetch[i];
    row.distance_bytes = plans[i].distance_bytes;
    row.streams = plans[i].streams;
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
  const ProbedProfile probed =
      ReadOrMeasureProfile(topology, ProbeEffort::kTune, BITFETCH_VERSION,
                           AttentionProbe(*kernels, ProbeEffort::kTune, options.kv_types));
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
