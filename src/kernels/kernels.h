// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_KERNELS_H_
#define BITFETCH_KERNELS_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "base/error.h"
#include "kv/tile.h"
#include "machine/isa.h"
#include "prefetch/law.h"

namespace bitfetch {

// Sums of floats have 16 partial sums, element i in number i % 16, folded by halves: on every ISA,
// so that all give the same bits (docs/architecture.md). Multiply-add is fused everywhere.
inline constexpr int kPartialSums = 16;

// --- attention
// -----------------------------------------------------------------------------------------------------

// Attention goes over fixed ranges of tokens, each with a softmax of its own, that are folded
// together at the end: how the ranges are shared out over threads changes nothing. Inside a range
// the softmax goes by chunks of four tiles.
inline constexpr int kRangeTokens = 256;
inline constexpr int kChunkTokens = kChunkTiles * kTileTokens;

// Query rows that share what is read of a tile while it is in registers: their sums must fit
// beside it.
inline constexpr int kQueryPanel = 4;
inline int QueryPanels(int rows) { return (rows + kQueryPanel - 1) / kQueryPanel; }

// What one range leaves for one query row: [head_dim] sums of V, [16] partial sums of the weights,
// the maximum that both are relative to, and padding.
inline constexpr int kPartialExtra = 32;
inline size_t PartialFloats(int head_dim) { return static_cast<size_t>(head_dim) + kPartialExtra; }

// The query rows of one token, or of several, against a stretch of what some heads of one layer
// hold. Row r of a KV head belongs to token r / group of those asked for, and attends to the first
// `visible + r / group` tokens, as far as they lie in the stretch.
struct AttendJob {
  KvView kv;
  int64_t begin = 0;   // first token: a multiple of kRangeTokens
  int64_t end = 0;     // one past the last
  int first_head = 0;  // KV heads
  int end_head = 0;
  // [heads][QueryPanels(rows)][head_dim][kQueryPanel], times log2(e) / sqrt(head_dim), so that
  // weights are powers of two; in the same room IntQueries (attention_int.h) if K is quantised.
  const float* queries = nullptr;
  int rows = 1;   // to a KV head
  int group = 1;  // query heads to a KV head
  int64_t visible = 0;
  PrefetchPlan prefetch = {};
  float* partials = nullptr;  // out: [ranges][heads][rows][PartialFloats(head_dim)]
};

// --- linear layers
// -------------------------------------------------------------------------------------------------

// The streams of a plan for weights are rows that a single token meets side by side, as far apart
// as those that are asked for allow; along one stream they follow each other.

// How many ternary codes a byte has. kFours: of a row, 128 elements in 32 bytes as in I2_S, element
// j in byte j % 32 at bit 6 - 2 * (j / 32). kFives: of five rows, one column (ternary_fives.h).
enum class TernaryPacking { kFours, kFives };

// A matrix of -1, 0 and +1 times one scale, [rows][cols], as codes 0, 1, 2, padded with code 1 to
// whole 128 columns, and whole five rows where those share bytes.
struct TernaryRows {
  const uint8_t* codes = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;      // at most kMaxTernaryCols
  size_t row_bytes = 0;  // ceil(cols / 128) * 32, of five rows four times as many
  float scale = 0;
  TernaryPacking packing = TernaryPacking::kFours;
  PrefetchPlan prefetch = {};

  int64_t lines() const { return packing == TernaryPacking::kFours ? rows : (rows + 4) / 5; }
  int64_t bytes() const { return lines() * static_cast<int64_t>(row_bytes); }
};

inline constexpr int kTernaryPack = 128;  // elements

// Beyond, sums of code * x would leave an int32 on some ISA.
inline constexpr int64_t kMaxTernaryCols = int64_t{1} << 22;

// Tokens as int8: what a linear layer of W1.58A8 multiplies.
struct QuantizedRows {
  const int8_t* values = nullptr;  // [tokens][stride], zero from cols to stride
  const int32_t* sums = nullptr;   // [tokens] sum of the values
  const float* scales = nullptr;   // [tokens] max / 127
  int64_t tokens = 0;
  int64_t stride = 0;  // cols, padded to whole 128
};

// Rows that lie side by side where weights are ternary by group, and what a strip of them takes.
inline constexpr int kStripRows = 16;
constexpr int64_t StripBytes(int64_t cols, int group) {
  return cols / group * (int64_t{kStripRows} * group / 4 + kStripRows * 2);
}

// A matrix that is ternary by group, [rows][cols]: weight (code - 1) * scale, codes 0 to 3, with a
// scale for every `group` columns of a row. It lies in strips, the last one padded, each in the
// order in which it is read: [ceil(rows / 16)][cols / group] of
//   [group / 16][16 rows][4] bytes: byte b has, of 16 columns, number 4 * k + b at bit 2 * k
//   [16 rows] scales, f16
struct TernaryGroups {
  const std::byte* strips = nullptr;  // any alignment
  int64_t rows = 0;
  int64_t cols = 0;  // a multiple of group
  int group = 0;     // 64 or 128
  PrefetchPlan prefetch = {};

  int64_t bytes() const { return (rows + kStripRows - 1) / kStripRows * StripBytes(cols, group); }
};

// Floats of which the largest is below it become int8 zeros: 127 / max would overflow.
inline constexpr float kMinQuantized = 0x1p-100f;

// Tokens as int8 with a scale for every 32 columns: what weights that are ternary by group
// multiply.
inline constexpr int kQuantizedGroup = 32;
struct QuantizedGroups {
  const int8_t* values = nullptr;    // [tokens][cols]
  const float* scales = nullptr;     // [tokens][cols / 32]
  const int32_t* offsets = nullptr;  // [tokens][cols / 32] minus the sum of the values
  int64_t tokens = 0;
  int64_t cols = 0;
};

// Rows of an output head.
enum class DenseType { kF32, kF16, kBF16 };
struct DenseMatrix {
  const void* values = nullptr;  // [rows][cols]
  DenseType type = DenseType::kF32;
  int64_t cols = 0;
};
// A token that meets such rows: its activations [cols], and where its products go, by row.
struct DenseToken {
  const float* x = nullptr;
  float* out = nullptr;
};

// One part of the codes in an output head's copy (docs/output-head.md): `bits` of each, [rows] of
// `stride` bytes, in lines of 64. Byte i of a line has, from the lowest bits up, those of columns
// i, 64 + i, ... of the 64 * 8 / bits that the line holds.
struct ScreenRows {
  const uint8_t* codes = nullptr;
  int bits = 4;                // or 2
  int64_t stride = 0;          // a multiple of kScreenLineBytes
  PrefetchPlan prefetch = {};  // but for rows that are asked for alone
};
inline constexpr int64_t kScreenLineBytes = 64;

// A token that meets it: its activations, 256 * high + low, for all columns of a row, and where its
// products go, the first row's in front.
struct alignas(64) ScreenColumns {
  int8_t high[kScreenLineBytes];
  int8_t low[kScreenLineBytes];
};
struct ScreenToken {
  const ScreenColumns* x = nullptr;
  int32_t* out = nullptr;
};

// A row w as codes: of w * (128 / max) in [-128, 128], code c in 0..255 stands for c - 127.5. A
// level of a screen knows the upper 4, 6 or 8 bits, c / unit, which stand for the middle of what
// they leave open, unit * (c / unit) - offset.
inline constexpr int kScreenRange = 128;
struct ScreenLevel {
  int bits;  // more than the level before knows
  int unit;
  float offset;
};
inline constexpr ScreenLevel kScreenLevels[] = {{4, 16, 120.0f}, {2, 4, 126.0f}, {2, 1, 127.5f}};
inline constexpr int kScreenLevelCount = std::size(kScreenLevels);
struct ScreenFit {
  float max = 0;                                // of |w|
  float error_squares[kScreenLevelCount] = {};  // of w * (128 / max) less what each level knows
};

// --- the table
// -----------------------------------------------------------------------------------------------------

// The leaves of a forward pass for one ISA. Every table gives the same bits. No function allocates
// or fails.
struct Kernels {
  Isa isa;

  // out [n] = x / sqrt(mean(x^2) + epsilon) * weight; out may be x.
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float epsilon, float* out);

  // The int8 form of one token: m = max(absmax(x), 1e-5), values = clamp(round_half_even(x * (127 /
  // m)), -128, 127), zero from n to stride, their sum, and the scale m / 127.
  void (*quantize)(const float* x, int64_t n, int64_t stride, int8_t* values, int32_t* sum,
                   float* scale);

  // out[t][r] = float(sum over c of w[r][c] * x[t][c]) * x.scales[t] * w.scale for rows [begin,
  // end); out has out_stride floats a token. Rows that share bytes are best asked for together.
  void (*ternary_matmul)(const TernaryRows& w, int64_t begin, int64_t end, const QuantizedRows& x,
                         float* out, int64_t out_stride);

  // One token in groups of 32, n a multiple of 32: m = absmax of a group, values =
  // clamp(round_half_even(x * (127 / m)), -127, 127), scale m / 127, and minus the sum of the
  // values. Where m is below kMinQuantized, values and scale are zero.
  void (*quantize_groups)(const float* x, int64_t n, int8_t* values, float* scales,
                          int32_t* offsets);

  // out[t][r] = sum over c of w[r][c] * x[t][c] for rows [begin, end), begin a multiple of 16; out
  // has out_stride floats a token. In order over the groups of w, from 0: sum = fma(part, scale of
  // the group, sum). part, in order over its groups of x: float(exact integer sum) * scale of the
  // group of x for the first, fma(float(exact integer sum), scale, part) for the others.
  void (*ternary_groups_matmul)(const TernaryGroups& w, int64_t begin, int64_t end,
                                const QuantizedGroups& x, float* out, int64_t out_stride);

  // tokens[t].out[r] = sum over c of w[r][c] * tokens[t].x[c] for rows [begin, end) and all
  // `count` tokens.
  void (*dense_matmul)(const DenseMatrix& w, int64_t begin, int64_t end, const DenseToken* tokens,
                       int64_t count);

  // One row of w as codes, [cols], floor(w * (128 / max)) + 128 in 0..255, and what that does to
  // it. For a max below kMinQuantized the factor is 0. Where the row is not finite, max is not, or
  // no sum of squares.
  void (*screen_row)(const DenseMatrix& w, int64_t row, uint8_t* codes, ScreenFit* fit);

  // tokens[t].out[r - begin] = sum over c of w[r][c] * tokens[t].x[c] for rows [begin, end) and all
  // `count` tokens. Exact where it fits an int32.
  void (*screen)(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,
                 int64_t count);

  // Turns pairs (x[i * step], x[i * step + apart]) by the angles whose cosines and sines are given,
  // [pairs] each: half-split (NeoX) with step 1 and apart = pairs, adjacent with step 2 and
  // apart 1.
  void (*rope)(float* x, const float* cosines, const float* sines, int64_t pairs, int64_t step,
               int64_t apart);

  // out = max(gate, 0)^2 * up, gate / (1 + exp(-gate)) * up, and GELU(gate) * up in the form with
  // tanh; out may be either of them.
  void (*relu2_gate)(const float* gate, const float* up, int64_t n, float* out);
  void (*silu_gate)(const float* gate, const float* up, int64_t n, float* out);
  void (*gelu_gate)(const float* gate, const float* up, int64_t n, float* out);

  // x += y.
  void (*add)(float* x, const float* y, int64_t n);

  // Scores, softmax and sums of V for every range of the job.
  void (*attend)(const AttendJob& job);

  // Folds the partials of `ranges` ranges of one query row, `range_stride` floats apart, into what
  // was folded before: [PartialFloats], of which [head_dim] is the sum of the weights and
  // [head_dim + 16] the maximum; InitPartial begins it.
  void (*fold)(const float* partials, int64_t ranges, int64_t range_stride, int head_dim,
               float* folded);
};

// The tables that were built and that this CPU runs, best last. Scalar is always the first.
const std::vector<const Kernels*>& SupportedKernels();

// The best of them, or the one that BITFETCH_ISA names. Errors: a name that is unknown, or that
// can't be run here.
Result<const Kernels*> ChooseKernels();

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_KERNELS_H_
