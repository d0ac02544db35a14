// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "engine/cold_attention.h"
#include "engine/probed_kernel.h"
#include "kernels/attention.h"

namespace bitfetch {
namespace {

// BitNet b1.58 2B4T.
constexpr int kKvHeads = 5;
constexpr int kGroup = 4;
constexpr int kHeadDim = 128;

// Of one look and thread, at least: long enough for the clock and for the first lines, which nobody
// prefetches, to weigh little.
constexpr size_t kColdBytes = size_t{2} << 20;
constexpr size_t kHotBytes = size_t{2} << 20;

class AttentionReader final : public ProbedKernel {
 public:
  AttentionReader(const Kernels& kernels, ThreadPool& pool, KvTypes types)
      : threads_(pool.threads()),
        attention_(kernels, pool, {kKvHeads, kHeadDim, types}, kGroup),
        block_bytes_(attention_.layout().block_bytes()) {}

  PrefetchAccess Access(PageSize pages) const override {
    return attention_.Access(BlockPlacement::kContiguous, pages);
  }

  double Hot(std::span<const std::byte> memory, int64_t l2_bytes) override {
    const int64_t blocks = std::clamp<int64_t>(l2_bytes / 2 / static_cast<int64_t>(block_bytes_), 1,
                                               kRangeTokens / kTileTokens);
    const std::vector<uint32_t> table = Table(blocks, /*shuffled=*/false);
    const std::vector<KvView> again(kHotBytes / (blocks * block_bytes_) + 1, View(memory, table));
    return attention_.Pass(again, {});
  }

  double Cold(ColdBuffer& buffer, bool shuffled, const PrefetchPlan& plan) override {
    std::vector<uint32_t>& table = tables_[shuffled ? 1 : 0];
    if (table.empty()) table = Table(ColdBlocks(buffer.size()), shuffled);
    const KvView view = View(buffer.NextBytes(table.size() * block_bytes_), table);
    return attention_.Time(std::span(&view, 1), plan);
  }

 private:
  // Whole ranges, as many for each thread, while the next looks find other memory.
  int64_t ColdBlocks(size_t buffer_bytes) const {
    constexpr int64_t kRangeBlocks = kRangeTokens / kTileTokens;
    const auto block = static_cast<int64_t>(block_bytes_);
    const int64_t ranges = static_cast<int64_t>(kColdBytes) / (block * kRangeBlocks) + 1;
    const int64_t max = static_cast<int64_t>(buffer_bytes / 4) / block;
    return std::clamp<int64_t>(ranges * kRangeBlocks * threads_, 1, max);
  }

  static std::vector<uint32_t> Table(int64_t blocks, bool shuffled) {
    std::vector<uint32_t> table(blocks);
    std::iota(table.begin(), table.end(), 0);
    if (shuffled) std::shuffle(table.begin(), table.end(), std::minstd_rand(1));
    return table;
  }

  KvView View(std::span<const std::byte> memory, const std::vector<uint32_t>& table) const {
    return {attention_.layout(), memory.data(), block_bytes_, table.data(),
            static_cast<int64_t>(table.size()) * kTileTokens};
  }

  int threads_;
  ColdAttention attention_;
  size_t block_bytes_;
  std::vector<uint32_t> tables_[2];  // in order, shuffled
};

}  // namespace

std::unique_ptr<ProbedKernel> ProbedAttention(const Kernels& kernels, ThreadPool& pool,
                                              KvTypes types) {
  return std::make_unique<AttentionReader>(kernels, pool, types);
}

}  // namespace bitfetch
