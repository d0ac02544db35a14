// SPDX-License-Identifier: Apache-2.0
#include "engine/cold_weights.h"

#include <algorithm>

#include "machine/clock.h"
#include "model/head_screen.h"
#include "model/products.h"

namespace bitfetch {
namespace {

constexpr int64_t kRows = 2560;
constexpr int64_t kCols = 2560;
constexpr int kGroupCols = 64;
constexpr int kScreenBits = 4;
constexpr int64_t kReadPast = 64;  // that kernels may read behind what they are given

int64_t LineRows(WeightsKind kind) {
  if (kind == WeightsKind::kFives) return 5;
  return kind == WeightsKind::kGroups ? kStripRows : 1;
}

int64_t LineBytes(WeightsKind kind) {
  switch (kind) {
    case WeightsKind::kFours:
      return kCols / 4;
    case WeightsKind::kFives:
      return kCols;
    case WeightsKind::kGroups:
      return StripBytes(kCols, kGroupCols);
    case WeightsKind::kScreen:
      break;
  }
  return kCols * kScreenBits / 8;
}

}  // namespace

ColdWeights::ColdWeights(const Kernels& kernels, ThreadPool& pool, WeightsKind kind)
    : kernels_(kernels),
      pool_(pool),
      kind_(kind),
      line_rows_(LineRows(kind)),
      line_bytes_(LineBytes(kind)),
      values_(kCols),
      sums_(kCols / kQuantizedGroup),
      scales_(kCols / kQuantizedGroup),
      columns_(kCols / kScreenLineBytes),
      out_(kRows),
      screened_(kRows) {}

PrefetchAccess ColdWeights::Access(PageSize pages) const {
  return WeightsAccess(kernels_.isa, kind_, pages, pool_.threads());
}

void ColdWeights::Multiply(const std::byte* weights, int64_t rows, const PrefetchPlan& plan) {
  const auto* codes = reinterpret_cast<const uint8_t*>(weights);
  const auto in_runs = [&](const auto& matrix, const auto& multiply) {
    const Product product{.weights = matrix, .norm = {}, .out = nullptr};
    pool_.ParallelRuns(rows, RowsTogether(product), multiply);
  };
  if (kind_ == WeightsKind::kScreen) {
    const ScreenRows matrix{codes, kScreenBits, line_bytes_, plan};
    pool_.ParallelRuns(rows, HeadScreen::kMaskRows, [&](int64_t first, int64_t last, int) {
      for (; first < last; first += HeadScreen::kMaxRows) {
        const ScreenToken token{columns_.data(), screened_.data() + first};
        kernels_.screen(matrix, first, std::min(first + HeadScreen::kMaxRows, last), &token, 1);
      }
    });
  } else if (kind_ == WeightsKind::kGroups) {
    const TernaryGroups matrix{weights, rows, kCols, kGroupCols, plan};
    const QuantizedGroups token{values_.data(), scales_.data(), sums_.data(), 1, kCols};
    in_runs(matrix, [&](int64_t begin, int64_t end, int) {
      kernels_.ternary_groups_matmul(matrix, begin, end, token, out_.data(), rows);
    });
  } else {
    const auto packing =
        kind_ == WeightsKind::kFives ? TernaryPacking::kFives : TernaryPacking::kFours;
    const TernaryRows matrix{codes, rows,    kCols, static_cast<size_t>(line_bytes_),
                             1,     packing, plan};
    const QuantizedRows token{values_.data(), sums_.data(), scales_.data(), 1, kCols};
    in_runs(matrix, [&](int64_t begin, int64_t end, int) {
      kernels_.ternary_matmul(matrix, begin, end, token, out_.data(), rows);
    });
  }
}

double ColdWeights::Time(std::span<const std::byte> memory, const PrefetchPlan& plan) {
  const int64_t lines = (static_cast<int64_t>(memory.size()) - kReadPast) / line_bytes_;
  const int64_t of_matrix = kRows / line_rows_;
  const double begin = NowNs();
  for (int64_t line = 0; line < lines; line += of_matrix) {
    Multiply(memory.data() + line * line_bytes_, std::min(of_matrix, lines - line) * line_rows_,
             plan);
  }
  return NowNs() - begin;
}

double ColdWeights::Pass(std::span<const std::byte> memory, const PrefetchPlan& plan) {
  return static_cast<double>(memory.size()) / std::max(Time(memory, plan), 1.0) * 1e9;
}

}  // namespace bitfetch
