// SPDX-License-Identifier: Apache-2.0
#include "base/math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <vector>

namespace bitfetch {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kTolerance = 3e-16;
constexpr double kPi = 3.141592653589793;

// Evenly spread values in [low, high), the same everywhere.
class Spread {
 public:
  Spread(double low, double high) : low_(low), high_(high) {}
  double Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return low_ + (high_ - low_) * (static_cast<double>(state_ >> 11) * 0x1p-53);
  }

 private:
  double low_;
  double high_;
  uint64_t state_ = 1;
};

// How far a result is from libm's in long double; relative, as the headers promise.
double RelativeError(double result, long double expected) {
  if (expected == 0) return result == 0 ? 0 : kInfinity;
  return static_cast<double>(std::fabs((result - expected) / expected));
}

TEST(Exp, IsCloseToLibm) {
  for (double limit : {1e-9, 0.4, 5.0, 100.0, 700.0}) {
    Spread spread(-limit, limit);
    for (int i = 0; i < 20000; ++i) {
      const double x = spread.Next();
      ASSERT_LT(RelativeError(Exp(x), std::exp(static_cast<long double>(x))), kTolerance) << x;
    }
  }
}

TEST(Exp, Limits) {
  EXPECT_EQ(Exp(0.0), 1.0);
  EXPECT_EQ(Exp(-0.0), 1.0);
  EXPECT_EQ(Exp(5e-324), 1.0);
  EXPECT_EQ(Exp(kInfinity), kInfinity);
  EXPECT_EQ(Exp(-kInfinity), 0.0);
  EXPECT_TRUE(std::isnan(Exp(kNan)));
  EXPECT_EQ(Exp(710.0), kInfinity);
  EXPECT_EQ(Exp(1e300), kInfinity);
  EXPECT_EQ(Exp(-746.0), 0.0);
  EXPECT_EQ(Exp(-1e300), 0.0);
  EXPECT_LT(RelativeError(Exp(709.78), std::exp(static_cast<long double>(709.78))), kTolerance);
}

TEST(Exp, UnderflowsGradually) {
  for (double x = -708.0; x > -745.0; x -= 0.37) {
    EXPECT_NEAR(Exp(x), std::exp(x), std::exp(x) * kTolerance + 5e-324) << x;
  }
  EXPECT_EQ(Exp(-745.13), 5e-324);
  EXPECT_EQ(Exp(-745.14), 0.0);
}

TEST(Exp, NeverDecreases) {
  double before = 0.0;
  for (double x = -750.0; x < 712.0; x += 0.01) {
    const double value = Exp(x);
    ASSERT_GE(value, before) << x;
    before = value;
  }
}

TEST(Log, IsCloseToLibm) {
  for (double limit : {1e-300, 1e-6, 2.0, 1e6, 1e300}) {
    Spread spread(0.0, limit);
    for (int i = 0; i < 20000; ++i) {
      const double x = spread.Next();
      ASSERT_LT(RelativeError(Log(x), std::log(static_cast<long double>(x))), kTolerance) << x;
    }
  }
}

TEST(Log, IsCloseToLibmAroundOne) {
  for (double width = 1e-15; width < 1.0; width *= 10) {
    Spread spread(1.0 - width, 1.0 + width);
    for (int i = 0; i < 5000; ++i) {
      const double x = spread.Next();
      ASSERT_LT(RelativeError(Log(x), std::log(static_cast<long double>(x))), kTolerance) << x;
    }
  }
}

TEST(Log, Limits) {
  EXPECT_EQ(Log(1.0), 0.0);
  EXPECT_EQ(Log(0.0), -kInfinity);
  EXPECT_EQ(Log(-0.0), -kInfinity);
  EXPECT_EQ(Log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Log(-1.0)));
  EXPECT_TRUE(std::isnan(Log(-kInfinity)));
  EXPECT_TRUE(std::isnan(Log(kNan)));
  for (double x : {5e-324, 1e-310, 2.2250738585072014e-308, 1.7976931348623157e308}) {
    EXPECT_LT(RelativeError(Log(x), std::log(static_cast<long double>(x))), kTolerance) << x;
  }
}

TEST(SinCos, IsCloseToLibm) {
  for (double limit : {1e-8, 1.0, 10.0, 1e4, 1e6, 1e9}) {
    Spread spread(-limit, limit);
    for (int i = 0; i < 20000; ++i) {
      const double x = spread.Next();
      const SineCosine result = SinCos(x);
      ASSERT_LT(RelativeError(result.sine, std::sin(static_cast<long double>(x))), kTolerance) << x;
      ASSERT_LT(RelativeError(result.cosine, std::cos(static_cast<long double>(x))), kTolerance)
          << x;
    }
  }
}

TEST(SinCos, IsCloseToLibmNearItsZeros) {
  for (int n = 1; n < 2'000'000; n = n * 2 + 1) {
    double x = n * (kPi / 2);
    for (int step = 0; step < 8; ++step, x = std::nextafter(x, kInfinity)) {
      const SineCosine result = SinCos(x);
      EXPECT_LT(RelativeError(result.sine, std::sin(static_cast<long double>(x))), kTolerance) << x;
      EXPECT_LT(RelativeError(result.cosine, std::cos(static_cast<long double>(x))), kTolerance)
          << x;
    }
  }
}

TEST(SinCos, Limits) {
  EXPECT_EQ(SinCos(0.0).sine, 0.0);
  EXPECT_EQ(SinCos(0.0).cosine, 1.0);
  EXPECT_EQ(SinCos(5e-324).sine, 5e-324);
  EXPECT_EQ(SinCos(5e-324).cosine, 1.0);
  EXPECT_NEAR(SinCos(0x1p50).sine, std::sin(0x1p50), kTolerance);
  for (double x : {0x1.1p50, -1e300, kInfinity, -kInfinity, kNan}) {
    EXPECT_TRUE(std::isnan(SinCos(x).sine)) << x;
    EXPECT_TRUE(std::isnan(SinCos(x).cosine)) << x;
  }
}

TEST(Math, LogSumExpIsThatOfTheNumbersHoweverLarge) {
  EXPECT_NEAR(LogSumExp(std::vector<float>{1, 2, -3}),
              std::log(std::exp(1.) + std::exp(2.) + std::exp(-3.)), 1e-12);
  EXPECT_EQ(LogSumExp(std::vector<float>{3e38f, -3e38f}), double{3e38f});
  EXPECT_NEAR(LogSumExp(std::vector<float>(1000, -1e4f)), std::log(1000.) - 1e4, 1e-9);
}

// The point of having our own: a hash of the results' bits, to be met by every compiler on every
// CPU.
TEST(Math, SameBitsEverywhere) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](double value) {
    hash = (hash ^ std::bit_cast<uint64_t>(value)) * 0x100000001b3;
  };
  Spread small(-30.0, 30.0);
  Spread positive(0.0, 1e5);
  Spread angle(-1e6, 1e6);
  for (int i = 0; i < 100000; ++i) {
    add(Exp(small.Next()));
    add(Log(positive.Next()));
    const SineCosine result = SinCos(angle.Next());
    add(result.sine);
    add(result.cosine);
  }
  EXPECT_EQ(hash, 6847708126441461888u);
}

}  // namespace
}  // namespace bitfetch
