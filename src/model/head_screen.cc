// SPDX-License-Identifier: Apache-2.0
#include "model/head_screen.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include "prefetch/instruction.h"

namespace bitfetch {
namespace {

// Of which every level fills whole lines.
constexpr int64_t kColumnsTogether = kScreenLineBytes * 8 / 2;

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

// Of scaled elements, from what they leave, squared and summed as floats.
double ResidualAbove(float squares, int64_t n) {
  return (NormAbove(squares, n) * (1 + 2 * kUnit) +
          257 * kUnit * std::sqrt(static_cast<double>(n))) *
         kUp;
}

float FloatAbove(double value) {
  const auto rounded = static_cast<float>(value);
  return rounded >= value ? rounded
                          : std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

int64_t RoundUp(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// What a plane has of one row's codes, from bit `first` on, as the kernels read it; `to` is zeroed.
void Pack(const uint8_t* codes, int first, const ScreenRows& plane, uint8_t* to) {
  const int mask = (1 << plane.bits) - 1;
  for (int64_t line = 0; line < plane.stride; line += kScreenLineBytes) {
    for (int bit = 0; bit < 8; bit += plane.bits, codes += kScreenLineBytes) {
      for (int64_t i = 0; i < kScreenLineBytes; ++i) {
        to[line + i] |= static_cast<uint8_t>((codes[i] >> first & mask) << bit);
      }
    }
  }
}

// The first bit from `at` on that is as `set` says, or how many there are.
int64_t FindBit(std::span<const uint64_t> bits, int64_t at, bool set) {
  constexpr int64_t kBits = 64;
  const auto count = static_cast<int64_t>(bits.size()) * kBits;
  for (; at < count; at = (at / kBits + 1) * kBits) {
    const uint64_t found = (set ? bits[at / kBits] : ~bits[at / kBits]) >> (at % kBits);
    if (found != 0) return at + std::countr_zero(found);
  }
  return count;
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
  screen.rows_.resize(rows);
  int64_t row_bytes = 0;
  for (int level = 0; level < kScreenLevelCount; ++level) {
    const int bits = kScreenLevels[level].bits;
    const int64_t stride = RoundUp(dense.cols, kScreenLineBytes * 8 / bits) * bits / 8;
    screen.planes_[level] = {.bits = bits, .stride = stride};
    row_bytes += stride;
  }
  auto memory = PageBuffer::Allocate(static_cast<size_t>(rows * row_bytes), PageSize::kHuge);
  if (!memory) {
    return Fail("no memory for an 8-bit copy of tensor {}: {}", output.name,
                memory.error().message);
  }
  screen.codes_ = *std::move(memory);
  std::array<uint8_t*, kScreenLevelCount> planes;
  auto* next = reinterpret_cast<uint8_t*>(screen.codes_.data());
  for (int level = 0; level < kScreenLevelCount; ++level) {
    planes[level] = next;
    screen.planes_[level].codes = next;
    next += rows * screen.planes_[level].stride;
  }

  struct alignas(64) OfThread {
    std::vector<uint8_t> codes;
    double largest_norm = 0;
  };
  std::vector<OfThread> threads(pool.threads());
  for (OfThread& of_thread : threads) {
    of_thread.codes.resize(RoundUp(dense.cols, kColumnsTogether));
  }
  std::atomic<int64_t> damaged_row = rows;  // the first that was found
  std::atomic<int64_t> done = 0;
  const double root = std::sqrt(static_cast<double>(dense.cols)) * kUp;
  pool.ParallelPieces(rows, kMaskRows, [&](int64_t begin, int64_t end, int thread) {
    auto& [codes, largest_norm] = threads[thread];
    for (int64_t r = begin; r < end; ++r) {
      ScreenFit fit;
      kernels.screen_row(dense, r, codes.data(), &fit);
      if (!std::isfinite(fit.max) || !std::isfinite(fit.error_squares[0])) {
        for (int64_t first = damaged_row; r < first;) {
          if (damaged_row.compare_exchange_weak(first, r)) break;
        }
        return;
      }
      const double norm = fit.max * root;
      largest_norm = std::max(largest_norm, norm);
      Row& row = screen.rows_[r];
      if (fit.max < kMinQuantized) {
        row.scale = 0;
        std::ranges::fill(row.residuals, FloatAbove(norm));
        continue;
      }
      row.scale = fit.max / kScreenRange;
      int known = 0;
      for (int level = 0; level < kScreenLevelCount; ++level) {
        row.residuals[level] =
            FloatAbove(row.scale * ResidualAbove(fit.error_squares[level], dense.cols));
        const ScreenRows& plane = screen.planes_[level];
        known += plane.bits;
        Pack(codes.data(), 8 - known, plane, planes[level] + r * plane.stride);
      }
    }
    const int64_t now_done = done += end - begin;
    if (progress && thread == 0) progress(now_done, rows);
  });
  if (damaged_row < rows) {
    return Fail("tensor {} is damaged: row {} is not finite", output.name, damaged_row.load());
  }
  for (const OfThread& of_thread : threads) {
    screen.largest_norm_ = std::max(screen.largest_norm_, of_thread.largest_norm);
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
  const double norm = std::sqrt(squares) * kUp;
  // So large that sums of floats might overflow; false for a NaN too.
  if (!(largest_norm_ * norm <= 0x1p126)) return false;

  // As fine as two bytes allow, and 32-bit sums of codes up to 15.
  const double root = std::sqrt(static_cast<double>(cols_)) * kUp;
  input->scale = std::max(max / (127 * 256.0), norm * 15 * root * 0x1p-30);
  if (input->scale == 0) input->scale = 1;
  const double factor = 1 / input->scale;
  input->columns.assign(RoundUp(cols_, kColumnsTogether) / kScreenLineBytes, {});
  input->sum = 0;
  double error_squares = 0;
  for (int64_t c = 0; c < cols_; ++c) {
    const auto q = static_cast<int32_t>(std::lrint(x[c] * factor));
    const double error = x[c] - q * input->scale;
    error_squares += error * error;
    const int32_t high = (q + 128) >> 8;
    ScreenColumns& columns = input->columns[c / kScreenLineBytes];
    columns.high[c % kScreenLineBytes] = static_cast<int8_t>(high);
    columns.low[c % kScreenLineBytes] = static_cast<int8_t>(q - 256 * high);
    input->sum += q;
  }
  const double error = std::sqrt(error_squares) * kUp + 0x1p-50 * norm;
  const double rounding = SumError(cols_) + 0x1p-45;
  input->norm = norm * (1 + rounding) * kUp;
  input->range_error = kScreenRange * root * (error * (1 + rounding) + rounding * norm) * kUp;
  input->underflow = 0x1p-148 * static_cast<double>(cols_);
  return true;
}

void HeadScreen::BoundRow(int level, int64_t row, const Token& token, int64_t at) const {
  const auto& [scale, residuals] = rows_[row];
  const Input& input = *token.input;
  const double integers = kScreenLevels[level].unit * token.sums[at] -
                          kScreenLevels[level].offset * static_cast<double>(input.sum);
  const double value = integers * (scale * input.scale);
  token.value[at] = value;
  token.upper[at] =
      value + (residuals[level] * input.norm + scale * input.range_error + input.underflow);
}

void HeadScreen::Bounds(const Kernels& kernels, int64_t begin, int64_t end,
                        std::span<const Token> tokens) const {
  std::array<int32_t, kMaxRows> sums;
  std::array<ScreenToken, kMaxTokens> screened;
  const int64_t rows = end - begin;
  for (size_t t = 0; t < tokens.size(); ++t) {
    screened[t] = {tokens[t].input->columns.data(), sums.data() + t * rows};
  }
  kernels.screen(planes_[0], begin, end, screened.data(), static_cast<int64_t>(tokens.size()));
  for (size_t t = 0; t < tokens.size(); ++t) {
    for (int64_t at = 0; at < rows; ++at) {
      tokens[t].sums[at] = screened[t].out[at];
      BoundRow(0, begin + at, tokens[t], at);
    }
  }
}

void HeadScreen::Refine(const Kernels& kernels, int level, int64_t begin,
                        std::span<const uint64_t> rows, const Token& token) const {
  const ScreenRows& plane = planes_[level];
  const auto count = static_cast<int64_t>(rows.size()) * kMaskRows;
  std::array<int32_t, kMaxRows> sums;
  for (int64_t first = FindBit(rows, 0, true), next; first < count; first = next) {
    const int64_t end = FindBit(rows, first, false);
    next = FindBit(rows, end, true);
    if (next < count) PrefetchBytes(plane.codes + (begin + next) * plane.stride, plane.stride);
    const ScreenToken screened{token.input->columns.data(), sums.data()};
    kernels.screen(plane, begin + first, begin + end, &screened, 1);
    for (int64_t at = first; at < end; ++at) {
      token.sums[at] = 4 * token.sums[at] + sums[at - first];
      BoundRow(level, begin + at, token, at);
    }
  }
}

}  // namespace bitfetch
