// SPDX-License-Identifier: Apache-2.0
// Products with five codes in a byte (ternary_fives.h), for ternary-inl.h. The codes of five rows
// are multiplied with as many tokens as registers hold sums of, as they come out of their bytes,
// or, where that takes more than multiplying those tokens, are unpacked once for all tokens, as
// rows for AddTiles.

constexpr int64_t kFive = 5;

// Fives of rows whose sums become products side by side.
constexpr int64_t kFivesAtOnce = 16;
using FivesTotals = int32_t[kFive][kFivesAtOnce];

// What some columns of kLines lines, for sums from number `five` on, give with kTokens tokens.
template <int kTokens, int kLines>
HWY_INLINE void SumFives(const uint8_t* const (&line)[kLines], int64_t columns, FetchInto into,
                         int64_t distance, const int8_t* x, int64_t stride, int64_t five,
                         FivesTotals* totals) {
  // Five of each token and line, and as many more as make whole fours.
  constexpr int kCount = kTokens * kLines * static_cast<int>(kFive);
  constexpr int kPadded = (kCount + kRows - 1) / kRows * kRows;
  Sums sums[kPadded];
#pragma GCC unroll 20
  for (Sums& sum : sums) sum = ZeroSums();
  int64_t column = 0;
  do {
    // Two lines, as a pack of fours has columns: fetched by one branch, beside which GCC 12 still
    // finds registers for all sums.
    if (into != FetchInto::kNowhere) {
#pragma GCC unroll 4
      for (const uint8_t* bytes : line) {
        FetchLine(into, bytes + distance + column);
        FetchLine(into, bytes + distance + column + kCacheLineBytes);
      }
    }
#pragma GCC unroll 8
    for (int part = 0; part < kTernaryPack / kStep; ++part, column += kStep) {
#pragma GCC unroll 4
      for (int l = 0; l < kLines; ++l) {
        Codes parts[kFive];
        SplitFives(line[l] + column, parts);
#pragma GCC unroll 4
        for (int t = 0; t < kTokens; ++t) {
          const Values values = LoadValues(x + t * stride + column);
#pragma GCC unroll 5
          for (int n = 0; n < kFive; ++n) {
            Sums& sum = sums[(t * kLines + l) * kFive + n];
            sum = Accumulate(sum, parts[n], values);
          }
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
  for (int i = 0; i < kCount; ++i) {
    totals[i / kFive / kLines][i % kFive][five + i / kFive % kLines] = sum[i];
  }
}

// Lines whose products are computed together, in the order in which their sums lie.
struct FivesLines {
  int64_t line[kFivesAtOnce];
  int64_t count;
};

// Of the rows in such lines those in [begin, end), for kTokens tokens.
template <int kTokens, int kLines>
HWY_INLINE void MultiplyFives(const TernaryRows& w, const FivesLines& lines, int64_t begin,
                              int64_t end, const QuantizedRows& x, int64_t token, float* out,
                              int64_t out_stride) {
  const auto columns = static_cast<int64_t>(w.row_bytes);
  const int64_t streams = kLines == 1 ? 1 : Streams(w.prefetch).count();
  const int64_t distance = w.prefetch.distance_bytes / streams;
  alignas(64) FivesTotals totals[kTokens] = {};
  // Written all at once in the end, which would wait for each line of it.
  for (int t = 0; t < kTokens; ++t) {
    for (int64_t i = 0; i < lines.count; i += kLines) {
      PrefetchLine(out + (token + t) * out_stride + HWY_MAX(lines.line[i] * kFive, begin));
    }
  }
  for (int64_t first = 0; first < columns; first += kFivesChunk) {
    alignas(64) FivesTotals parts[kTokens] = {};
    for (int64_t five = 0; five < lines.count; five += kLines) {
      const uint8_t* line[kLines];
      for (int l = 0; l < kLines; ++l) line[l] = w.codes + lines.line[five + l] * columns + first;
      SumFives<kTokens, kLines>(line, HWY_MIN(kFivesChunk, columns - first), IntoOf(w.prefetch),
                                distance, x.values + token * x.stride + first, x.stride, five,
                                parts);
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
    for (int64_t five = 0; five < lines.count; ++five) {
      const int64_t row = lines.line[five] * kFive;
      for (int64_t n = HWY_MAX(begin - row, 0); n < HWY_MIN(kFive, end - row); ++n) {
        to[row + n] = products[n][five];
      }
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
HWY_INLINE void MultiplyFives(const TernaryRows& w, const FivesLines& lines, int64_t begin,
                              int64_t end, const QuantizedRows& x, int64_t token, int64_t tokens,
                              float* out, int64_t out_stride) {
  const int64_t last = token + tokens;
  if constexpr (!kUnpackOnce) {
    for (; token + kTileTokensMax <= last; token += kTileTokensMax) {
      MultiplyFives<kTileTokensMax, 1>(w, lines, begin, end, x, token, out, out_stride);
    }
    switch (last - token) {
      case 3:
        return MultiplyFives<3, 1>(w, lines, begin, end, x, token, out, out_stride);
      case 2:
        return MultiplyFives<2, 1>(w, lines, begin, end, x, token, out, out_stride);
      default:
        break;
    }
  }
  if (token < last) MultiplyFives<1, 1>(w, lines, begin, end, x, token, out, out_stride);
}

// Rows [begin, end) for tokens from `token` on: where a token is alone, four lines side by side, of
// each stream as many.
HWY_INLINE void MultiplyFives(const TernaryRows& w, int64_t begin, int64_t end,
                              const QuantizedRows& x, int64_t token, int64_t tokens, float* out,
                              int64_t out_stride) {
  int64_t line = begin / kFive;
  const int64_t end_line = (end - 1) / kFive + 1;
  FivesLines lines;
  if constexpr (!kUnpackOnce) {
    const Streams streams(w.prefetch);
    if (tokens == 1 && streams.count() > 1) {
      const int64_t apart = (end_line - line) / kRows * streams.each();
      const int64_t end_stream = line + apart;
      while (line < end_stream) {
        for (lines.count = 0; line < end_stream && lines.count < kFivesAtOnce;
             line += streams.each()) {
          for (int r = 0; r < kRows; ++r) lines.line[lines.count++] = line + streams.Row(r, apart);
        }
        MultiplyFives<1, kRows>(w, lines, begin, end, x, token, out, out_stride);
      }
      line += (streams.count() - 1) * apart;
    }
  }
  while (line < end_line) {
    for (lines.count = 0; line < end_line && lines.count < kFivesAtOnce;) {
      lines.line[lines.count++] = line++;
    }
    MultiplyFives(w, lines, begin, end, x, token, tokens, out, out_stride);
  }
}

HWY_INLINE void FivesMatmul(const TernaryRows& w, int64_t begin, int64_t end,
                            const QuantizedRows& x, float* out, int64_t out_stride) {
  for (int64_t token = 0; token < x.tokens; token += kTokensAtOnce) {
    const int64_t tokens = HWY_MIN(kTokensAtOnce, x.tokens - token);
    if constexpr (kUnpackOnce) {
      if (x.tokens > 1) {
        constexpr int64_t kTogether = kRows * kFive;
        for (int64_t row = begin, next; row < end; row = next) {
          next = HWY_MIN((row / kTogether + 1) * kTogether, end);
          MultiplyUnpackedFives(w, row, next, x, token, tokens, out, out_stride);
        }
        continue;
      }
    }
    MultiplyFives(w, begin, end, x, token, tokens, out, out_stride);
  }
}
