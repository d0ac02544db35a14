// SPDX-License-Identifier: Apache-2.0
// Ternary products, exact in integers: sum of (code - 1) * x = sum of code * x - sum of x, with
// codes as unsigned and x as signed bytes. Intrinsics, since Highway 1.0.3 has no byte products.
// Included by ternary_simd.cc once for each ISA, in a namespace and with the attributes of that
// ISA.
//
// Four rows at a time, whose codes come from the packed weights or from a buffer in L1, times a few
// tokens whose sums stay in registers. The rows are the outer loop: theirs are the bytes that come
// from memory, each once.

HWY_PUSH_ATTRIBUTES(BITFETCH_TERNARY_TARGET)
namespace bitfetch::BITFETCH_TERNARY_ISA {

#include BITFETCH_TERNARY_LEAVES

constexpr int kRows = 4;
using Streams = RowStreams<kRows>;

// Activations of these stay in L2 while all rows pass by.
constexpr int64_t kTokensAtOnce = 64;
using Totals = int32_t[kTokensAtOnce][kRows];

constexpr int64_t kPackBytes = kTernaryPack / 4;

// A step is one vector of codes: kParts to a pack.
constexpr int64_t kStep = sizeof(Codes);

struct PackedRows {
  static constexpr int kStepsAtOnce = kParts;
  const uint8_t* row[kRows];
  FetchInto into;
  Streams streams;
  const uint8_t* ahead[kRows];  // what lies in memory the plan's distance after those of a stream
  template <int kSums>
  HWY_INLINE Codes At(int64_t step, int part, int r) const {
    return LoadPart<kSums>(row[r] + step * kStep / 4, part);
  }
  // Of the four rows to come as many lines as a pack of these has, but in the order of addresses in
  // each stream: that leads the hardware's prefetcher on, which neighbours in turn don't.
  HWY_INLINE void Prefetch(int64_t step) const {
    if (into == FetchInto::kNowhere) return;
    constexpr int64_t kLines = kRows * kPackBytes / kCacheLineBytes;
    for (int64_t line = step / kParts * kLines, end = line + kLines; line < end; ++line) {
      FetchLine(into, ahead[streams.StreamOf(line)] + streams.BytesBefore(line));
    }
  }
};

#ifdef BITFETCH_TERNARY_I8MM
#include "kernels/ternary_i8mm-inl.h"
#else
// Codes of a few packs: [steps][kRows], a vector each.
struct UnpackedRows {
  static constexpr int kStepsAtOnce = 1;
  const uint8_t* codes;
  HWY_INLINE static void Store(const Codes (&rows)[kRows], uint8_t* to) {
    for (int r = 0; r < kRows; ++r) StoreCodes(rows[r], to + r * kStep);
  }
  template <int kSums>
  HWY_INLINE Codes At(int64_t step, int /*part*/, int r) const {
    return LoadCodes(codes + (step * kRows + r) * kStep);
  }
  HWY_INLINE void Prefetch(int64_t /*step*/) const {}
};
#endif

// Adds what `steps` steps of four rows give with kTokens tokens. Unrolled by order: left to itself
// GCC 12 keeps the sums in memory.
template <int kTokens, class Rows>
HWY_INLINE void AddTile(const Rows& rows, int64_t steps, const int8_t* x, int64_t stride,
                        int32_t (*totals)[kRows]) {
  // One token leaves registers for more sums, of neighbouring parts each, and so for less
  // unpacking.
  constexpr int kSums = kTokens == 1 && Rows::kStepsAtOnce > 1 ? kSumsOfOneToken : 1;
  Sums sums[kTokens][kRows][kSums];
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int s = 0; s < kSums; ++s) sums[t][r][s] = ZeroSums();
    }
  }
  int64_t step = 0;
  do {
    rows.Prefetch(step);
#pragma GCC unroll 8
    for (int part = 0; part < Rows::kStepsAtOnce; ++part) {
      Codes codes[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) codes[r] = rows.template At<kSums>(step, part, r);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        const Values values = LoadValues(x + t * stride + (step + part) * kStep);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          Sums& sum = sums[t][r][part * kSums / Rows::kStepsAtOnce];
          sum = Accumulate(sum, codes[r], values);
        }
      }
    }
    step += Rows::kStepsAtOnce;
  } while (step < steps);
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) {
    if constexpr (kSums > 1) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sums[t][r][0] = Join(sums[t][r]);
    }
    AddTotals(OfFours(sums[t][0][0]), OfFours(sums[t][1][0]), OfFours(sums[t][2][0]),
              OfFours(sums[t][3][0]), totals[t]);
  }
}

template <class Rows>
HWY_INLINE void AddTiles(const Rows& rows, int64_t steps, const int8_t* x, int64_t stride,
                         int64_t tokens, Totals& totals) {
  int64_t t = 0;
  for (; t + kTileTokensMax <= tokens; t += kTileTokensMax) {
    AddTile<kTileTokensMax>(rows, steps, x + t * stride, stride, totals + t);
  }
  x += t * stride;
  switch (tokens - t) {
    case 3:
      if constexpr (kTileTokensMax > 3) AddTile<3>(rows, steps, x, stride, totals + t);
      return;
    case 2:
      return AddTile<2>(rows, steps, x, stride, totals + t);
    case 1:
      return AddTile<1>(rows, steps, x, stride, totals + t);
    default:
      return;
  }
}

// Not inlined: once for both packings. In each namespace, once.
// NOLINTNEXTLINE(misc-definitions-in-headers)
HWY_NOINLINE void AddUnpacked(const uint8_t* codes, int64_t steps, const int8_t* x, int64_t stride,
                              int64_t tokens, Totals& totals) {
  AddTiles(UnpackedRows{codes}, steps, x, stride, tokens, totals);
}

// Those of one token and a few rows, of which the first are written.
template <int kCount>
HWY_INLINE void WriteProducts(const TernaryRows& w, const QuantizedRows& x, int64_t token,
                              const int32_t (&totals)[kCount], int64_t rows, float* to) {
  float products[kCount];
  for (int r = 0; r < kCount; ++r) {
    products[r] = static_cast<float>(totals[r] - x.sums[token]) * x.scales[token] * w.scale;
  }
  for (int64_t r = 0; r < rows; ++r) to[r] = products[r];
}

// Four rows, of which the first `rows` are written, for at most kTokensAtOnce tokens; too few
// repeat the last.
HWY_INLINE void MultiplyRows(const TernaryRows& w, const int64_t (&row)[kRows], int64_t rows,
                             Streams streams, const QuantizedRows& x, int64_t token, int64_t tokens,
                             float* out, int64_t out_stride) {
  alignas(64) Totals totals;
  for (int64_t t = 0; t < tokens; ++t) {
    for (int32_t& total : totals[t]) total = 0;
  }
  const int64_t packs = static_cast<int64_t>(w.row_bytes) / kPackBytes;
  const int64_t each = streams.each();
  const int64_t distance = w.prefetch.distance_bytes / streams.count();
  for (int64_t first = 0; first < packs; first += kChunkPacks) {
    const int64_t steps = HWY_MIN(kChunkPacks, packs - first) * kParts;
    PackedRows packed{.row = {}, .into = IntoOf(w.prefetch), .streams = streams, .ahead = {}};
    for (int64_t stream = 0; stream < streams.count(); ++stream) {
      packed.ahead[stream] =
          w.codes + row[stream * each] * w.row_bytes + first * each * kPackBytes + distance;
    }
    for (int64_t r = 0; r < kRows; ++r) {
      packed.row[r] = w.codes + row[r] * w.row_bytes + first * kPackBytes;
    }
    const int8_t* values = x.values + token * x.stride + first * kTernaryPack;
    if constexpr (kUnpackOnce) {
      if (tokens > kTileTokensMax) {
        alignas(64) uint8_t codes[kChunkPacks * kTernaryPack * kRows];
        for (int64_t step = 0; step < steps; step += kParts) {
          packed.Prefetch(step);
          for (int part = 0; part < kParts; ++part) {
            Codes rows_codes[kRows];
            for (int r = 0; r < kRows; ++r) rows_codes[r] = packed.At<1>(step, part, r);
            UnpackedRows::Store(rows_codes, codes + (step + part) * kRows * kStep);
          }
        }
        AddUnpacked(codes, steps, values, x.stride, tokens, totals);
        continue;
      }
    }
    AddTiles(packed, steps, values, x.stride, tokens, totals);
  }
  for (int64_t t = 0; t < tokens; ++t) {
    float* const to = out + (token + t) * out_stride;
    if (streams.count() == 1) {
      WriteProducts(w, x, token + t, totals[t], rows, to + row[0]);
      continue;
    }
    float products[kRows];
    WriteProducts(w, x, token + t, totals[t], kRows, products);
    for (int r = 0; r < kRows; ++r) to[row[r]] = products[r];
  }
}

// Rows [begin, end) for at most kTokensAtOnce tokens: of each stream as many side by side.
HWY_INLINE void FoursMatmul(const TernaryRows& w, int64_t begin, int64_t end,
                            const QuantizedRows& x, int64_t token, int64_t tokens, float* out,
                            int64_t out_stride) {
  const Streams streams(w.prefetch);
  int64_t first = begin;
  if (streams.count() > 1) {
    const int64_t apart = (end - begin) / kRows * streams.each();
    for (int64_t i = begin; i < begin + apart; i += streams.each()) {
      int64_t row[kRows];
      for (int r = 0; r < kRows; ++r) row[r] = i + streams.Row(r, apart);
      MultiplyRows(w, row, kRows, streams, x, token, tokens, out, out_stride);
    }
    first += streams.count() * apart;
  }
  for (; first < end; first += kRows) {
    const int64_t last = end - 1;
    const int64_t row[kRows] = {first, HWY_MIN(first + 1, last), HWY_MIN(first + 2, last),
                                HWY_MIN(first + 3, last)};
    MultiplyRows(w, row, HWY_MIN(kRows, end - first), Streams({}), x, token, tokens, out,
                 out_stride);
  }
}

#include "kernels/ternary_fives-inl.h"

// NOLINTNEXTLINE(misc-definitions-in-headers): once in each namespace
void TernaryMatmul(const TernaryRows& w, int64_t begin, int64_t end, const QuantizedRows& x,
                   float* out, int64_t out_stride) {
  if (w.packing == TernaryPacking::kFives) return FivesMatmul(w, begin, end, x, out, out_stride);
  for (int64_t token = 0; token < x.tokens; token += kTokensAtOnce) {
    FoursMatmul(w, begin, end, x, token, HWY_MIN(kTokensAtOnce, x.tokens - token), out, out_stride);
  }
}

}  // namespace bitfetch::BITFETCH_TERNARY_ISA
HWY_POP_ATTRIBUTES

#undef BITFETCH_TERNARY_ISA
#undef BITFETCH_TERNARY_TARGET
#undef BITFETCH_TERNARY_LEAVES
#undef BITFETCH_TERNARY_VNNI
#undef BITFETCH_TERNARY_DOTPROD
#undef BITFETCH_TERNARY_I8MM
