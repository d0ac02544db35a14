// SPDX-License-Identifier: Apache-2.0
// Codes of an output head's rows times tokens, exact in integers. Intrinsics, since Highway 1.0.3
// has no byte products. Included by foreach_dot-inl.h, in a namespace for each kind of them.

using Bytes = hn::Repartition<uint8_t, Ints>;
using Codes = hn::Vec<Bytes>;
using Sums = hn::Vec<Ints>;

// Accumulate adds products of neighbours, codes below 16 times values: which of them a lane gets is
// open.
#if HWY_ARCH_X86
using Values = Codes;
HWY_INLINE Values LoadValues(const int8_t* x) {
  return hn::LoadU(Bytes(), reinterpret_cast<const uint8_t*>(x));
}
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) {
#if defined(BITFETCH_DOT_VNNI)
  return Sums{_mm512_dpbusd_epi32(sums.raw, codes.raw, x.raw)};
#elif HWY_TARGET == HWY_AVX2
  const __m256i pairs = _mm256_maddubs_epi16(codes.raw, x.raw);
  return hn::Add(sums, Sums{_mm256_madd_epi16(pairs, _mm256_set1_epi16(1))});
#else
  const __m512i pairs = _mm512_maddubs_epi16(codes.raw, x.raw);
  return hn::Add(sums, Sums{_mm512_madd_epi16(pairs, _mm512_set1_epi16(1))});
#endif
}
#else  // NEON
using Values = int8x16_t;
HWY_INLINE Values LoadValues(const int8_t* x) { return vld1q_s8(x); }
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) {
  const int8x16_t signed_codes = vreinterpretq_s8_u8(codes.raw);
#if defined(BITFETCH_DOT_DOTPROD) || defined(BITFETCH_DOT_I8MM)
  return Sums(vdotq_s32(sums.raw, signed_codes, x));
#else
  const int16x8_t low = vmull_s8(vget_low_s8(signed_codes), vget_low_s8(x));
  return Sums(vpadalq_s16(sums.raw, vmlal_high_s8(low, signed_codes, x)));
#endif
}
#endif

// Whose sums are in registers together.
constexpr int kTokensAtOnce = HWY_TARGET == HWY_AVX2 ? 1 : 2;

// The kBits from bit kFirst on of each byte.
template <int kBits, int kFirst>
HWY_INLINE Codes Field(Codes packed) {
  const Codes mask = hn::Set(Bytes(), (1 << kBits) - 1);
  const hn::Repartition<uint16_t, Ints> words;
  return hn::And(hn::BitCast(Bytes(), hn::ShiftRight<kFirst>(hn::BitCast(words, packed))), mask);
}

// Rows side by side share what is read of the activations, which costs as much as reading the rows.
constexpr int kRows = 4;
using Streams = RowStreams<kRows>;

// Rows from `row` on, of streams that begin `apart` rows from each other, times kTokens tokens. Of
// the rows to come, this fetches as many lines as it reads of these, but in the order of addresses
// in each stream: that leads the hardware's prefetcher on, which neighbours in turn don't. A row
// alone may have no other near it. to: less than a row's number, where its product goes.
template <int kBits, int kCount, int kTokens>
HWY_INLINE void ScreenTile(const ScreenRows& w, int64_t row, Streams streams, int64_t apart,
                           const ScreenToken* tokens, int64_t to) {
  const int64_t stride = w.stride;
  const FetchInto into = kCount > 1 ? IntoOf(w.prefetch) : FetchInto::kNowhere;
  const int64_t distance = w.prefetch.distance_bytes / streams.count();
  int64_t number[kCount];
  const uint8_t* rows[kCount];
  for (int r = 0; r < kCount; ++r) {
    number[r] = row + streams.Row(r, apart);
    rows[r] = w.codes + number[r] * stride;
  }
  constexpr int kFields = 8 / kBits;
  constexpr int kVectorBytes = kLanes * sizeof(int32_t);
  Sums high[kTokens][kCount];
  Sums low[kTokens][kCount];
  UnrollGrid<kTokens, kCount>([&](auto t, auto r)
                                  BITFETCH_LAMBDA { high[t][r] = low[t][r] = hn::Zero(Ints()); });
  for (int64_t at = 0; at < stride; at += kScreenLineBytes) {
    if (into != FetchInto::kNowhere) {
      for (int line = 0; line < kCount; ++line) {
        FetchLine(into, rows[streams.StreamOf(line) * streams.each()] + distance +
                            at * streams.each() + streams.BytesBefore(line));
      }
    }
    Unroll<kScreenLineBytes / kVectorBytes>([&](auto v) BITFETCH_LAMBDA {
      Codes packed[kCount];
      Unroll<kCount>([&](auto r) BITFETCH_LAMBDA {
        packed[r] = hn::LoadU(Bytes(), rows[r] + at + v * kVectorBytes);
      });
      Unroll<kFields>([&](auto f) BITFETCH_LAMBDA {
        Codes codes[kCount];
        Unroll<kCount>([&](auto r)
                           BITFETCH_LAMBDA { codes[r] = Field<kBits, kBits * f>(packed[r]); });
        Unroll<kTokens>([&](auto t) BITFETCH_LAMBDA {
          const ScreenColumns& x = tokens[t].x[at / kScreenLineBytes * kFields + f];
          const Values x_high = LoadValues(x.high + v * kVectorBytes);
          const Values x_low = LoadValues(x.low + v * kVectorBytes);
          Unroll<kCount>([&](auto r) BITFETCH_LAMBDA {
            high[t][r] = Accumulate(high[t][r], codes[r], x_high);
            low[t][r] = Accumulate(low[t][r], codes[r], x_low);
          });
        });
      });
    });
  }
  UnrollGrid<kTokens, kCount>([&](auto t, auto r) BITFETCH_LAMBDA {
    const Sums sum = hn::Add(hn::ShiftLeft<8>(high[t][r]), low[t][r]);
    tokens[t].out[number[r] - to] = hn::GetLane(hn::SumOfLanes(Ints(), sum));
  });
}

template <int kBits, int kCount>
HWY_INLINE void ScreenRowsOnce(const ScreenRows& w, int64_t row, Streams streams, int64_t apart,
                               const ScreenToken* tokens, int64_t count, int64_t to) {
  for (; count >= kTokensAtOnce; count -= kTokensAtOnce, tokens += kTokensAtOnce) {
    ScreenTile<kBits, kCount, kTokensAtOnce>(w, row, streams, apart, tokens, to);
  }
  if constexpr (kTokensAtOnce > 1) {
    if (count > 0) ScreenTile<kBits, kCount, 1>(w, row, streams, apart, tokens, to);
  }
}

template <int kBits>
void ScreenBits(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,
                int64_t count) {
  const Streams streams(w.prefetch);
  const int64_t apart = (end - begin) / kRows * streams.each();
  for (int64_t row = begin; row < begin + apart; row += streams.each()) {
    ScreenRowsOnce<kBits, kRows>(w, row, streams, apart, tokens, count, begin);
  }
  for (int64_t row = begin + streams.count() * apart; row < end; ++row) {
    ScreenRowsOnce<kBits, 1>(w, row, streams, 0, tokens, count, begin);
  }
}

void Screen(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,
            int64_t count) {
  return w.bits == 4 ? ScreenBits<4>(w, begin, end, tokens, count)
                     : ScreenBits<2>(w, begin, end, tokens, count);
}
