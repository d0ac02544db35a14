// SPDX-License-Identifier: Apache-2.0
#include "base/math.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>

#ifdef __FAST_MATH__
#error "The same bits everywhere need IEEE-754 arithmetic: build without -ffast-math"
#endif

namespace bitfetch {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "double arithmetic must round to double at every step");

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// ln 2 in two parts; the first has 21 bits to spare, so that its product with an exponent is exact.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

// pi/2 as a sum of three doubles.
constexpr double kHalfPi1 = 0x1.921fb54442d18p+0;
constexpr double kHalfPi2 = 0x1.1a62633145c07p-54;
constexpr double kHalfPi3 = -0x1.f1976b7ed8fbcp-110;

// To the nearest integer, ties to even, for |x| < 2^51: past 2^52 a double has no fraction left.
double RoundToInteger(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

// 2^exponent for -1022 <= exponent <= 1023.
double PowerOfTwo(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

// coefficients[0] + x * coefficients[1] + ..., by Horner's rule.
template <int n>
double Polynomial(double x, const double (&coefficients)[n]) {
  double sum = coefficients[n - 1];
  for (int i = n - 2; i >= 0; --i) sum = sum * x + coefficients[i];
  return sum;
}

}  // namespace

double Exp(double x) {
  if (!(x > -746.0)) return std::isnan(x) ? x : 0.0;
  if (x > 709.79) return kInfinity;

  // x = n ln 2 + high - low, |high - low| <= ln 2 / 2.
  const double n = RoundToInteger(x * 0x1.71547652b82fep+0);
  const double high = x - n * kLn2High;
  const double low = n * kLn2Low;
  const double r = high - low;

  // e^r = 1 + r + r^2 (1/2! + r/3! + ...): the first term left out is r^14/14! < 5e-18.
  static constexpr double kTerms[] = {
      1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
      1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  const double power = 1.0 + (high + (r * r * Polynomial(r, kTerms) - low));

  // In two steps, of which only the last can round, since 2^n itself may be out of range.
  const int exponent = static_cast<int>(n);
  const int half = exponent / 2;
  return power * PowerOfTwo(half) * PowerOfTwo(exponent - half);
}

double Log(double x) {
  if (!(x > 0.0)) return x == 0.0 ? -kInfinity : kNan;
  if (x == kInfinity) return x;
  int exponent = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    exponent = -54;
  }

  // x = 2^exponent (1 + f), 1 + f between sqrt(1/2) and sqrt(2): the offset carries into the
  // exponent above sqrt(2).
  constexpr uint64_t kOne = 0x3ff0000000000000;
  constexpr uint64_t kRootHalf = 0x3fe6a09e667f3bcd;
  const uint64_t bits = std::bit_cast<uint64_t>(x) + (kOne - kRootHalf);
  exponent += static_cast<int>(bits >> 52) - 1023;
  const double f = std::bit_cast<double>((bits & 0x000fffffffffffff) + kRootHalf) - 1.0;

  // With s = f / (2 + f): log(1 + f) = 2 (s + s^3/3 + s^5/5 + ...) and 2 s = f - s f, in which f is
  // exact.
  const double s = f / (2.0 + f);
  const double z = s * s;
  static constexpr double kTerms[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                      2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
  const double rest = z * Polynomial(z, kTerms);
  const double n = exponent;
  return n * kLn2High - ((s * (f - rest) - n * kLn2Low) - f);
}

SineCosine SinCos(double radians) {
  if (!(std::fabs(radians) <= 0x1p50)) return {kNan, kNan};

  // Cody and Waite's reduction: angle = n pi/2 + r + low. The first step is exact, since both sides
  // are multiples of the last place of kHalfPi1 and their difference is below 1; the second keeps
  // its rounding errors in `low`.
  const double n = RoundToInteger(radians * 0x1.45f306dc9c883p-1);
  const double first = std::fma(-n, kHalfPi1, radians);
  const double product = n * kHalfPi2;
  const double product_error = std::fma(n, kHalfPi2, -product);
  const double r = first - product;
  const double from_first = r + product;
  const double r_error = (first - from_first) - (product - (from_first - r));
  const double low = r_error - (product_error + n * kHalfPi3);

  const double z = r * r;
  static constexpr double kSineTerms[] = {
      -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
      -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
  static constexpr double kCosineTerms[] = {
      1.0 / 24,        -1.0 / 720,         1.0 / 40320,          -1.0 / 3628800,
      1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000};
  const double sine = r + (r * z * Polynomial(z, kSineTerms) + low * (1.0 - 0.5 * z));
  const double one_less = 1.0 - 0.5 * z;
  const double cosine =
      one_less + (((1.0 - one_less) - 0.5 * z) + (z * z * Polynomial(z, kCosineTerms) - r * low));

  switch (static_cast<int64_t>(n) & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

double LogSumExp(std::span<const float> x) {
  const double best = *std::ranges::max_element(x);
  double sum = 0;
  for (const float value : x) sum += Exp(value - best);
  return Log(sum) + best;
}

}  // namespace bitfetch
