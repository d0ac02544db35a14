// SPDX-License-Identifier: Apache-2.0
// Products with weights that are ternary by group: the steps of ternary_groups_scalar.cc, 16 rows
// side by side. Included by foreach_dot-inl.h, in a namespace for each kind of byte products.

#include "kernels/ternary_groups_dot-inl.h"

constexpr int kLineColumns = 16;  // of 16 rows, in 64 bytes
constexpr int64_t kLineBytes = kStripRows * kLineColumns / 4;

// The codes of columns 4 * kPart to 4 * kPart + 3 of a line.
template <int kPart>
HWY_INLINE Codes SplitPart(Codes line) {
  const Codes mask = hn::Set(Bytes(), 3);
  if constexpr (kPart == 0) return hn::And(line, mask);
  if constexpr (kPart == 3) return hn::ShiftRight<6>(line);
  const hn::Repartition<uint16_t, Ints> words;
  return hn::And(hn::BitCast(Bytes(), hn::ShiftRight<2 * kPart>(hn::BitCast(words, line))), mask);
}

// kStrips strips, `apart` bytes from each other, times kTokens tokens, a group of the weights after
// the other. rows: that are written of each strip, for the others `out_apart` floats on.
template <int kTokens, int kStrips>
HWY_INLINE void MultiplyStrips(const std::byte* strip, int64_t apart, int group,
                               const PrefetchPlan& prefetch, const QuantizedGroups& x, int64_t rows,
                               float* out, int64_t out_stride, int64_t out_apart) {
  const FetchInto into = IntoOf(prefetch);
  const int64_t distance = prefetch.distance_bytes / kStrips;
  const auto* bytes = reinterpret_cast<const uint8_t*>(strip);
  const int64_t groups_of_x = x.cols / kQuantizedGroup;
  const int8_t* values = x.values;
  const float* scales = x.scales;
  const int32_t* offsets = x.offsets;
  Vec16 totals[kTokens][kStrips];
  UnrollGrid<kTokens, kStrips>([&](auto t, auto s) BITFETCH_LAMBDA { totals[t][s] = Set16(0.0f); });
  for (int64_t column = 0; column < x.cols; column += group) {
    // A product that is added to zero is that product: no sign of a zero outlives the totals.
    Vec16 parts[kTokens][kStrips];
    UnrollGrid<kTokens, kStrips>([&](auto t, auto s)
                                     BITFETCH_LAMBDA { parts[t][s] = Set16(0.0f); });
    for (int first = 0; first < group; first += kQuantizedGroup) {
      Sums sums[kTokens][kStrips][kVectors];
      UnrollGrid<kTokens, kStrips>([&](auto t, auto s) BITFETCH_LAMBDA {
        const int32_t offset = offsets[t * groups_of_x];
        Unroll<kVectors>([&](auto v) BITFETCH_LAMBDA { sums[t][s][v] = Start(offset); });
      });
      Unroll<kQuantizedGroup / kLineColumns>([&](auto) BITFETCH_LAMBDA {
        Codes packed[kStrips][kVectors];
        Unroll<kStrips>([&](auto s) BITFETCH_LAMBDA {
          FetchLine(into, bytes + s * apart + distance);
          Unroll<kVectors>([&](auto v) BITFETCH_LAMBDA {
            packed[s][v] = hn::LoadU(Bytes(), bytes + s * apart + v * kLanes * 4);
          });
        });
        Line line[kTokens];
        Unroll<kTokens>([&](auto t) BITFETCH_LAMBDA { line[t] = LoadLine(values + t * x.cols); });
        Unroll<4>([&](auto part) BITFETCH_LAMBDA {
          Unroll<kStrips>([&](auto s) BITFETCH_LAMBDA {
            Codes codes[kVectors];
            Unroll<kVectors>([&](auto v)
                                 BITFETCH_LAMBDA { codes[v] = SplitPart<part>(packed[s][v]); });
            UnrollGrid<kTokens, kVectors>([&](auto t, auto v) BITFETCH_LAMBDA {
              Accumulate<part>(sums[t][s][v], codes[v], line[t]);
            });
          });
        });
        bytes += kLineBytes;
        values += kLineColumns;
      });
      UnrollGrid<kTokens, kStrips>([&](auto t, auto s) BITFETCH_LAMBDA {
        Vec16 exact;
        Unroll<kVectors>([&](auto v) BITFETCH_LAMBDA {
          exact.part[v] = hn::ConvertTo(Floats(), Total(sums[t][s][v]));
        });
        const Vec16 scale = Set16(scales[t * groups_of_x]);
        parts[t][s] = MulAdd16(exact, scale, parts[t][s]);
      });
      ++scales;
      ++offsets;
    }
    Unroll<kStrips>([&](auto s) BITFETCH_LAMBDA {
      const Vec16 scale = Load16(reinterpret_cast<const hwy::float16_t*>(bytes + s * apart));
      Unroll<kTokens>([&](auto t) BITFETCH_LAMBDA {
        totals[t][s] = MulAdd16(parts[t][s], scale, totals[t][s]);
      });
    });
    bytes += kStripRows * sizeof(hwy::float16_t);
  }
  UnrollGrid<kTokens, kStrips>([&](auto t, auto s) BITFETCH_LAMBDA {
    float* const to = out + t * out_stride + s * out_apart;
    if (rows >= kStripRows) {
      Store16(totals[t][s], to);
    } else {
      float all[kStripRows];
      Store16(totals[t][s], all);
      for (int64_t r = 0; r < rows; ++r) to[r] = all[r];
    }
  });
}

// Strips of a single token side by side: more than one stream of them.
constexpr int kStripsAtOnce = 4;

void TernaryGroupsMatmul(const TernaryGroups& w, int64_t begin, int64_t end,
                         const QuantizedGroups& x, float* out, int64_t out_stride) {
  const int64_t strip_bytes = StripBytes(w.cols, w.group);
  int64_t row = begin;
  if (x.tokens == 1 && w.prefetch.streams >= kStripsAtOnce) {
    const int64_t apart = (end - begin) / kStripRows / kStripsAtOnce;
    for (const int64_t last = row + apart * kStripRows; row < last; row += kStripRows) {
      MultiplyStrips<1, kStripsAtOnce>(w.strips + row / kStripRows * strip_bytes,
                                       apart * strip_bytes, w.group, w.prefetch, x, kStripRows,
                                       out + row, out_stride, apart * kStripRows);
    }
    row += (kStripsAtOnce - 1) * apart * kStripRows;
  }
  for (; row < end; row += kStripRows) {
    const std::byte* strip = w.strips + row / kStripRows * strip_bytes;
    QuantizedGroups left = x;
    float* to = out + row;
    const auto multiply = [&](auto tokens) BITFETCH_LAMBDA {
      while (left.tokens >= tokens) {
        MultiplyStrips<tokens, 1>(strip, 0, w.group, w.prefetch, left, end - row, to, out_stride,
                                  0);
        left.values += tokens * left.cols;
        left.scales += tokens * left.cols / kQuantizedGroup;
        left.offsets += tokens * left.cols / kQuantizedGroup;
        left.tokens -= tokens;
        to += tokens * out_stride;
      }
    };
    multiply(std::integral_constant<int, kTokensAtOnce>());
    if constexpr (kTokensAtOnce > 4) multiply(std::integral_constant<int, 4>());
    multiply(std::integral_constant<int, 2>());
    multiply(std::integral_constant<int, 1>());
  }
}
