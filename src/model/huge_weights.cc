// SPDX-License-Identifier: Apache-2.0
#include "model/huge_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/ternary_fives.h"
#include "machine/topology.h"
#include "model/packing_trial.h"

namespace bitfetch {
namespace {

constexpr size_t kReadPast = 32;  // bytes behind the codes that a kernel may read
constexpr int64_t kPieceBytes = 256 << 10;

// What is tried is no caches' to keep, even if they are larger than the system says.
constexpr int64_t kTrialBytesMin = int64_t{64} << 20;
constexpr int64_t kTrialCaches = 2;
// By which fives must be faster: less is noise.
constexpr double kWorthwhileGain = 1.03;

size_t PlaceBytes(const TernaryRows& matrix) {
  return (static_cast<size_t>(matrix.bytes()) + kReadPast + 63) / 64 * 64;
}

}  // namespace

HugeWeights::HugeWeights(const Model& model, const Kernels& kernels, ThreadPool& pool,
                         const WeightsPlans& plans, int64_t from_bytes,
                         std::optional<TernaryPacking> packing)
    : model_(model),
      kernels_(kernels),
      pool_(pool),
      plans_(plans),
      packing_(packing),
      trial_bytes_(std::max(kTrialBytesMin, kTrialCaches * ReadTopology().l3_bytes)) {
  if (!model.file().mapped()) return;
  size_t bytes = 0;
  for (const LayerPlan& layer : model.layers()) {
    for (const Projection* projection : layer.projections()) {
      const auto* matrix = std::get_if<TernaryMatrix>(&projection->weights);
      if (matrix == nullptr || matrix->storage) continue;  // lies in memory of its own
      matrices_.push_back(matrix);
      bytes += PlaceBytes(matrix->InRows());
    }
  }
  const auto signed_bytes = static_cast<int64_t>(bytes);
  if (signed_bytes >= from_bytes && signed_bytes <= AvailableMemory() / 2) {
    if (auto memory = PageBuffer::Allocate(bytes, PageSize::kHuge)) {
      memory_ = *std::move(memory);
      return;
    }
  }
  matrices_.clear();
}

TernaryRows HugeWeights::Rows(const TernaryMatrix& matrix) const {
  const auto moved = moved_.find(&matrix);
  TernaryRows rows = moved == moved_.end() ? matrix.InRows() : moved->second;
  rows.prefetch = moved == moved_.end()                    ? plans_.fours_4k
                  : rows.packing == TernaryPacking::kFours ? plans_.fours
                                                           : plans_.fives;
  return rows;
}

int64_t HugeWeights::left() const {
  int64_t bytes = 0;
  for (size_t i = next_; i < matrices_.size(); ++i) bytes += matrices_[i]->bytes();
  return bytes;
}

int64_t HugeWeights::Move(int64_t bytes) {
  int64_t moved = 0;
  while (moved < bytes && next_ < matrices_.size()) {
    moved += MoveNext();
    if (!packing_ && (used_ >= trial_bytes_ || next_ == matrices_.size())) ChoosePacking();
  }
  return moved;
}

int64_t HugeWeights::MoveNext() {
  const TernaryMatrix& matrix = *matrices_[next_++];
  const bool first = moved_.empty();
  const TernaryRows rows =
      Copy(matrix.InRows(), reinterpret_cast<uint8_t*>(memory_.data() + used_));
  moved_[&matrix] = rows;
  model_.file().LetGo(
      {reinterpret_cast<const std::byte*>(matrix.codes), static_cast<size_t>(matrix.bytes())});
  used_ += PlaceBytes(rows);
  // Small pages again would be a copy for nothing.
  if (first && packing_ != TernaryPacking::kFives &&
      static_cast<size_t>(rows.bytes()) >= 2 * kHugePageBytes && memory_.HugeBytes() == 0) {
    matrices_.resize(next_);
    packing_ = TernaryPacking::kFours;
  }
  return matrix.bytes();
}

// The matrix in its new place, as fives where they were chosen and are fewer bytes.
TernaryRows HugeWeights::Copy(const TernaryRows& fours, uint8_t* to) {
  const TernaryRows fives = AsFives(fours, to);
  if (packing_ == TernaryPacking::kFives && fives.bytes() < fours.bytes()) {
    pool_.ParallelFor(fives.lines(), [&](int64_t five, int) {
      PackFives(fours, five, to + five * fives.row_bytes);
    });
    return fives;
  }
  pool_.ParallelPieces(fours.bytes(), kPieceBytes, [&](int64_t begin, int64_t end, int) {
    std::memcpy(to + begin, fours.codes + begin, end - begin);
  });
  TernaryRows copy = fours;
  copy.codes = to;
  return copy;
}

void HugeWeights::ChoosePacking() {
  std::vector<TernaryRows> cold;
  for (size_t i = 0; i < next_; ++i) cold.push_back(Rows(*matrices_[i]));
  const PackingTrial trial = TryPackings(cold, plans_, kernels_, pool_);
  packing_ = TernaryPacking::kFours;
  if (trial.fours_ns < kWorthwhileGain * trial.fives_ns) return;
  packing_ = TernaryPacking::kFives;
  moved_.clear();
  next_ = used_ = 0;
}

}  // namespace bitfetch
