// SPDX-License-Identifier: Apache-2.0
#include "model/head_screen.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>

namespace bitfetch {
namespace {

constexpr int64_t kScreenRowsAtATime = 64;

// Half the distance from 1 to the next float: what rounding adds, relatively.
constexpr double kUnit = 0x1p-24;
// Makes up for the rounding of doubles, many times over.
constexpr double kUp = 1 + 0x1p-30;

// Bounds the relative error of a float sum of `n` products in 16 fused partial sums: no product
// goes through more roundings than there are in one partial sum and in the fold.
double SumError(int64_t n) {
  const int64_t roundings = (n + kPartialSums - 1) / kPartialSums + 4;
  const double error = static_cast<double>(roundings) * kUnit;
  return error / (1 - error) * kUp;
}

// At least the square root of what was summed as floats.
double NormAbove(float squares, int64_t n) { return std::sqrt(squares / (1 - SumError(n))) * kUp; }

float FloatAbove(double value) {
  const auto rounded = static_cast<float>(value);
  return rounded >= value ? rounded
                          : std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

}  // namespace

std::optional<DenseMatrix> DenseRowsOf(const GgufTensor& tensor, int64_t first_row) {
  const std::byte* values = tensor.Row(first_row);
  switch (tensor.type) {
    case TensorType::kF32:
      return DenseMatrix{values, DenseType::kF32, tensor.cols()};
    case TensorType::kF16:
      return DenseMatrix{values, DenseType::kF16, tensor.cols()};
    case TensorType::kBF16:
      return DenseMatrix{values, DenseType::kBF16, tensor.cols()};
    default:
      return std::nullopt;
  }
}

Result<HeadScreen> HeadScreen::Build(const GgufTensor& output, const Kernels& kernels,
                                     ThreadPool& pool, const Progress& progress) {
  const DenseMatrix dense = DenseRowsOf(output).value();
  const int64_t rows = output.rows();
  HeadScreen screen;
  screen.cols_ = dense.cols;
  screen.stride_ = (dense.cols + kScreenPack - 1) / kScreenPack * kScreenPack;
  screen.rows_.resize(rows);
  auto memory = PageBuffer::Allocate(static_cast<size_t>(rows * screen.stride_), PageSize::kHuge);
  if (!memory) {
    return Fail("no memory for an int8 copy of tensor {}: {}", output.name, memory.error().message);
  }
  screen.values_ = *std::move(memory);
  auto* values = reinterpret_cast<int8_t*>(screen.values_.data());

  struct alignas(64) Largest {
    double norm = 0;
    double integers = 0;
  };
  std::vector<Largest> largest(pool.threads());
  std::atomic<int64_t> damaged_row = rows;  // the first that was found
  std::atomic<int64_t> done = 0;
  const double root = std::sqrt(static_cast<double>(dense.cols)) * kUp;
  pool.ParallelPieces(rows, kScreenRowsAtATime, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t r = begin; r < end; ++r) {
      ScreenFit fit;
      kernels.screen_row(dense, r, screen.stride_, values + r * screen.stride_, &fit);
      if (!std::isfinite(fit.max) || !std::isfinite(fit.error_squares)) {
        for (int64_t first = damaged_row; r < first;) {
          if (damaged_row.compare_exchange_weak(first, r)) break;
        }
        return;
      }
      Row& row = screen.rows_[r];
      if (fit.max < kMinQuantized) {
        row = {0.0f, FloatAbove(fit.max * root)};
        largest[thread].norm = std::max<double>(largest[thread].norm, row.residual);
        continue;
      }
      const double integers = NormAbove(fit.squares, dense.cols);
      const double error = NormAbove(fit.error_squares, dense.cols);
      row.scale = fit.max / 127.0f;
      row.residual = FloatAbove(row.scale * (error + 6 * kUnit * (integers + error)) * kUp);
      Largest& so_far = largest[thread];
      so_far.norm = std::max(so_far.norm, (row.scale * integers + row.residual) * kUp);
      so_far.integers = std::max(so_far.integers, integers);
    }
    const int64_t now_done = done += end - begin;
    if (progress && thread == 0) progress(now_done, rows);
  });
  if (damaged_row < rows) {
    return Fail("tensor {} is damaged: row {} is not finite", output.name, damaged_row.load());
  }
  for (const Largest& of_thread : largest) {
    screen.largest_norm_ = std::max(screen.largest_norm_, of_thread.norm);
    screen.largest_integers_ = std::max(screen.largest_integers_, of_thread.integers);
  }
  return screen;
}

bool HeadScreen::Prepare(const float* x, Input* input) const {
  double squares = 0;
  float max = 0;
  for (int64_t c = 0; c < cols_; ++c) {
    squares += double{x[c]} * x[c];
    max = std::max(max, std::fabs(x[c]));
  }
  input->norm = std::sqrt(squares) * kUp;
  // So large that sums of floats might overflow; false for a NaN too.
  if (!(largest_norm_ * input->norm <= 0x1p126)) return false;

  // As fine as int16 allows, and Kernels::screen.
  input->scale = std::max(max / 32767.0, input->norm * largest_integers_ * 0x1p-30);
  if (input->scale == 0) input->scale = 1;
  const double factor = 1 / input->scale;
  input->values.assign(stride_, 0);
  double error_squares = 0;
  for (int64_t c = 0; c < cols_; ++c) {
    const auto q = static_cast<int16_t>(std::lrint(x[c] * factor));
    const double error = x[c] - q * input->scale;
    error_squares += error * error;
    input->values[c] = q;
  }
  const double error = std::sqrt(error_squares) * kUp + 0x1p-50 * input->norm;
  const double rounding = (SumError(cols_) + 0x1p-45) * input->norm + 0x1p-45 * error;
  input->slack = (largest_norm_ * (error + rounding) + 0x1p-148 * static_cast<double>(cols_)) * kUp;
  return true;
}

void HeadScreen::Bounds(const Kernels& kernels, int64_t begin, int64_t end,
                        std::span<const Token> tokens) const {
  const ScreenRows rows{reinterpret_cast<const int8_t*>(values_.data()), stride_};
  std::array<std::array<int32_t, kScreenRowsAtATime>, kMaxTokens> sums;
  std::array<ScreenToken, kMaxTokens> screened;
  for (size_t t = 0; t < tokens.size(); ++t) {
    screened[t] = {tokens[t].input->values.data(), sums[t].data()};
  }
  for (int64_t first = begin; first < end; first += kScreenRowsAtATime) {
    const int64_t last = std::min(first + kScreenRowsAtATime, end);
    kernels.screen(rows, first, last, screened.data(), static_cast<int64_t>(tokens.size()));
    for (size_t t = 0; t < tokens.size(); ++t) {
      const auto& [input, lower, upper] = tokens[t];
      for (int64_t r = first; r < last; ++r) {
        const double product = sums[t][r - first] * (rows_[r].scale * input->scale);
        const double width = rows_[r].residual * input->norm + input->slack;
        lower[r - begin] = product - width;
        upper[r - begin] = product + width;
      }
    }
  }
}

}  // namespace bitfetch
