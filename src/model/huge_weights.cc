// SPDX-License-Identifier: Apache-2.0
#include "model/huge_weights.h"

#include <cstring>
#include <utility>

#include "machine/topology.h"

namespace bitfetch {
namespace {

constexpr size_t kReadPast = 32;  // bytes behind the codes that a kernel may read
constexpr int64_t kPieceBytes = 256 << 10;

size_t PlaceBytes(const TernaryMatrix& matrix) {
  return (static_cast<size_t>(matrix.bytes()) + kReadPast + 63) / 64 * 64;
}

}  // namespace

HugeWeights::HugeWeights(const Model& model, ThreadPool& pool, int64_t from_bytes)
    : model_(model), pool_(pool) {
  if (!model.file().mapped()) return;
  size_t bytes = 0;
  for (const LayerPlan& layer : model.layers()) {
    for (const Projection* projection : layer.projections()) {
      const auto* matrix = std::get_if<TernaryMatrix>(&projection->weights);
      if (matrix == nullptr || matrix->storage) continue;  // lies in memory of its own
      matrices_.push_back(matrix);
      bytes += PlaceBytes(*matrix);
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

const uint8_t* HugeWeights::Codes(const TernaryMatrix& matrix) const {
  const auto moved = moved_.find(&matrix);
  return moved == moved_.end() ? matrix.codes : moved->second;
}

int64_t HugeWeights::left() const {
  int64_t bytes = 0;
  for (size_t i = next_; i < matrices_.size(); ++i) bytes += matrices_[i]->bytes();
  return bytes;
}

int64_t HugeWeights::Move(int64_t bytes) {
  int64_t moved = 0;
  while (moved < bytes && next_ < matrices_.size()) {
    const TernaryMatrix& matrix = *matrices_[next_++];
    auto* to = reinterpret_cast<uint8_t*>(memory_.data() + used_);
    const int64_t size = matrix.bytes();
    pool_.ParallelPieces(size, kPieceBytes, [&](int64_t begin, int64_t end, int) {
      std::memcpy(to + begin, matrix.codes + begin, end - begin);
    });
    const bool first = moved_.empty();
    moved_[&matrix] = to;
    model_.file().LetGo(
        {reinterpret_cast<const std::byte*>(matrix.codes), static_cast<size_t>(size)});
    used_ += PlaceBytes(matrix);
    moved += size;
    // Small pages again would be a copy for nothing.
    if (first && static_cast<size_t>(size) >= 2 * kHugePageBytes && memory_.HugeBytes() == 0) {
      matrices_.resize(next_);
    }
  }
  return moved;
}

}  // namespace bitfetch
