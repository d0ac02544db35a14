// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_MATH_H_
#define BITFETCH_BASE_MATH_H_

#include <span>

namespace bitfetch {

// Elementary functions that give the same bits with every compiler, on every machine: only IEEE-754
// operations in a fixed order, unlike libm's, which differ between builds. Whatever reaches logits
// or sampled text uses these.
//
// Relative errors stay under 3e-16 (1.3 units in the last place). A call costs 10 to 30 ns, without
// a table or a branch on the common path. Special values are IEEE's: NaN stays NaN, Exp(-inf) is 0,
// Log(0) is -inf, Log(-1) is NaN.

// e^x. Gradual underflow: results below 2^-1022 are denormal, then 0; past 709.78 infinity.
double Exp(double x);

// The natural logarithm.
double Log(double x);

// ln(e^x[0] + e^x[1] + ...), of at least one, as far as doubles go however large they are. Sums in
// order.
double LogSumExp(std::span<const float> x);

struct SineCosine {
  double sine;
  double cosine;
};

// Both at once, of an angle in radians. Accurate to |radians| <= 2^50, where neighbouring doubles
// are a quarter radian apart; NaN past that.
SineCosine SinCos(double radians);

}  // namespace bitfetch

#endif  // BITFETCH_BASE_MATH_H_
