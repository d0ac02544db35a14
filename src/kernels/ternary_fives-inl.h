// SPDX-License-Identifier: Apache-2.0
// Products with five codes in a byte (ternary_fives.h), for ternary-inl.h. The codes of five rows
// are multiplied with as many tokens as registers hold sums of, as they come out of their bytes,
// or, where that takes more than multiplying those tokens, are unpacked once for all tokens, as
// rows for AddTiles.

constexpr int64_t kFive = 5;

// Fives of rows whose sums become products side by side.
constexpr int64_t kFivesAtOnce = 16;
using FivesTotals = int32_t[kFive][kFivesAtOnce];

// What some columns of five rows, number `five` of those at once, give with kTokens tokens.
template <int kTokens>
HWY_INLINE void SumFives(const uint8_t* bytes, int64_t columns, const PrefetchPlan& prefetch,
                         const int8_t* x, int64_t stride, int64_t five, FivesTotals* totals) {
  const FetchInto into = IntoOf(prefetch);
  const uint8_t* const ahead = bytes + prefetch.distance_bytes;
  // Five of each token, and as many more as make whole fours.
  constexpr int kCount = kTokens * static_cast<int>(kFive);
  constexpr int kPadded = (kCount + kRows - 1) / kRows * kRows;
  Sums sums[kPadded];
#pragma GCC unroll 20
  for (Sums& sum : sums) sum = ZeroSums();
  int64_t column = 0;
  do {
    // Two lines, as a pack of fours has columns: fetched by one branch, beside which GCC 12 still
    // finds registers for all sums.
    if (into != FetchInto::kNowhere) {
      FetchLine(into, ahead + column);
      FetchLine(into, ahead + column + kCacheLineBytes);
    }
#pragma GCC unroll 8
    for (int part = 0; part < kTernaryPack / kStep; ++part, column += kStep) {
      Codes parts[kFive];
      SplitFives(bytes + column, parts);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        const Values values = LoadValues(x + t * stride + column);
#pragma GCC unroll 5
        for (int n = 0; n < kFive; ++n) {
          sums[t * kFive + n] = Accumulate(sums[t * kFive + n], parts[n], values);
        }
      }
    }
  } while (column < columns);
  alignas(16) int32_t sum[kPadded] = {};
#pragma GCC unroll 5
  for (int i = 0; i < kPadded; i += kRows) {
    AddTotals(sums[i], sums[i + 1], sums[i + 2], sums[i + 3], sum + i);
  }
#pragma GCC unroll 20
  for (int i = 0; i < kCount; ++i) totals[i / kFive][i % kFive][five] = sum[i];
}

// Rows [begin, end) of kFivesAtOnce fives, for kTokens tokens.
template <int kTokens>
HWY_INLINE void MultiplyFives(const TernaryRows& w, int64_t begin, int64_t end,
                              const QuantizedRows& x, int64_t token, float* out,
                              int64_t out_stride) {
  const auto columns = static_cast<int64_t>(w.row_bytes);
  const int64_t first_five = begin / kFive;
  const int64_t fives = (end - 1) / kFive + 1 - first_five;
  alignas(64) FivesTotals totals[kTokens] = {};
  // Written all at once in the end, which would wait for each line of it.
  const int64_t out_bytes = (end - begin) * static_cast<int64_t>(sizeof(float));
  for (int t = 0; t < kTokens; ++t)
    PrefetchBytes(out + (token + t) * out_stride + begin, out_bytes);
  for (int64_t first = 0; first < columns; first += kFivesChunk) {
    alignas(64) FivesTotals parts[kTokens] = {};
    for (int64_t five = 0; five < fives; ++five) {
      SumFives<kTokens>(w.codes + (first_five + five) * columns + first,
                        HWY_MIN(kFivesChunk, columns - first), w.prefetch,
                        x.values + token * x.stride + first, x.stride, five, parts);
    }
    for (int t = 0; t < kTokens; ++t) {
      FromParts(parts[t]);
      for (int n = 0; n < kFive; ++n) {
        for (int i = 0; i < kFivesAtOnce; ++i) totals[t][n][i] += parts[t][n][i];
      }
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    alignas(64) float products[kFive][kFivesAtOnce];
    for (int n = 0; n < kFive; ++n) {
      WriteProducts(w, x, token + t, totals[t][n], kFivesAtOnce, products[n]);
    }
    float* const to = out + (token + t) * out_stride;
    for (int64_t row = begin, five = 0; row < end; ++five) {
      for (int64_t n = row % kFive; n < kFive && row < end; ++n) to[row++] = products[n][five];
    }
  }
}

// Rows [begin, end) of twenty, for at most kTokensAtOnce tokens.
HWY_INLINE void MultiplyUnpackedFives(const TernaryRows& w, int64_t begin, int64_t end,
                                      const QuantizedRows& x, int64_t token, int64_t tokens,
                                      float* out, int64_t out_stride) {
  constexpr int64_t kLines = kRows;  // of bytes, for kFive times kRows rows
  const int64_t strip = begin / (kLines * kFive) * (kLines * kFive);
  constexpr int64_t kChunk = 1024;  // columns: 20 KiB of codes
  alignas(64) Totals totals[kFive] = {};
  const auto columns = static_cast<int64_t>(w.row_bytes);
  const int64_t last = (w.rows - 1) / kFive;
  for (int64_t first = 0; first < columns; first += kChunk) {
    const int64_t steps = HWY_MIN(kChunk, columns - first) / kStep;
    alignas(64) uint8_t codes[kFive][kChunk * kRows];
    for (int64_t step = 0; step < steps; ++step) {
      Codes rows[kLines * kFive];
      for (int64_t line = 0; line < kLines; ++line) {
        const int64_t five = HWY_MIN(strip / kFive + line, last);
        const uint8_t* bytes = w.codes + five * columns + first + step * kStep;
        PrefetchLine(bytes + kLines * columns);
        Codes of_five[kFive];
        SplitFives(bytes, of_five);
        for (int n = 0; n < kFive; ++n) rows[line * kFive + n] = of_five[n];
      }
      for (int i = 0; i < kFive; ++i) {
        const Codes of_rows[kRows] = {rows[i * kRows], rows[i * kRows + 1], rows[i * kRows + 2],
                                      rows[i * kRows + 3]};
        UnpackedRows::Store(of_rows, codes[i] + step * kRows * kStep);
      }
    }
    for (int i = 0; i < kFive; ++i) {
      AddUnpacked(codes[i], steps, x.values + token * x.stride + first, x.stride, tokens,
                  totals[i]);
    }
  }
  for (int64_t row = begin; row < end; ++row) {
    const int64_t in_strip = row - strip;
    for (int64_t t = 0; t < tokens; ++t) {
      WriteProducts<1>(w, x, token + t, {totals[in_strip / kRows][t][in_strip % kRows]}, 1,
                       out + (token + t) * out_stride + row);
    }
  }
}

// The same for `tokens` of them, in as many as leave registers for the sums.
HWY_INLINE void MultiplyFives(const TernaryRows& w, int64_t begin, int64_t end,
                              const QuantizedRows& x, int64_t token, int64_t tokens, float* out,
                              int64_t out_stride) {
  const int64_t last = token + tokens;
  if constexpr (!kUnpackOnce) {
    for (; token + kTileTokensMax <= last; token += kTileTokensMax) {
      MultiplyFives<kTileTokensMax>(w, begin, end, x, token, out, out_stride);
    }
    switch (last - token) {
      case 3:
        return MultiplyFives<3>(w, begin, end, x, token, out, out_stride);
      case 2:
        return MultiplyFives<2>(w, begin, end, x, token, out, out_stride);
      default:
        break;
    }
  }
  if (token < last) MultiplyFives<1>(w, begin, end, x, token, out, out_stride);
}

HWY_INLINE void FivesMatmul(const TernaryRows& w, int64_t begin, int64_t end,
                            const QuantizedRows& x, float* out, int64_t out_stride) {
  const bool unpack = kUnpackOnce && x.tokens > 1;
  const int64_t together = unpack ? kRows * kFive : kFivesAtOnce * kFive;
  for (int64_t token = 0; token < x.tokens; token += kTokensAtOnce) {
    const int64_t tokens = HWY_MIN(kTokensAtOnce, x.tokens - token);
    for (int64_t row = begin, next; row < end; row = next) {
      next = HWY_MIN((row / together + 1) * together, end);
      if constexpr (kUnpackOnce) {
        if (unpack) {
          MultiplyUnpackedFives(w, row, next, x, token, tokens, out, out_stride);
          continue;
        }
      }
      MultiplyFives(w, row, next, x, token, tokens, out, out_stride);
    }
  }
}
