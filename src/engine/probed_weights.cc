// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/cold_weights.h"
#include "engine/probed_kernel.h"

namespace bitfetch {
namespace {

class WeightsReader final : public ProbedKernel {
 public:
  WeightsReader(const Kernels& kernels, ThreadPool& pool, WeightsKind kind)
      : threads_(pool.threads()), weights_(kernels, pool, kind) {}

  PrefetchAccess Access(PageSize pages) const override { return weights_.Access(pages); }

  double Hot(std::span<const std::byte> memory, int64_t l2_bytes) override {
    return weights_.Pass(memory.first(std::min<size_t>(l2_bytes / 2, memory.size())), {});
  }

  // Weights lie in no blocks that could be shuffled.
  double Cold(ColdBuffer& buffer, bool /*shuffled*/, const PrefetchPlan& plan) override {
    const auto bytes = static_cast<size_t>(kColdBytes * threads_);
    return weights_.Time(buffer.NextBytes(std::min(bytes, buffer.size() / 4)), plan);
  }

 private:
  // Of one look and thread: a stage or more.
  static constexpr int64_t kColdBytes = int64_t{2} << 20;

  int threads_;
  ColdWeights weights_;
};

}  // namespace

std::unique_ptr<ProbedKernel> ProbedWeights(const Kernels& kernels, ThreadPool& pool,
                                            WeightsKind kind) {
  return std::make_unique<WeightsReader>(kernels, pool, kind);
}

}  // namespace bitfetch
