// SPDX-License-Identifier: Apache-2.0
#include "machine/race.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/test_effort.h"
#include "base/test_random.h"

namespace bitfetch {
namespace {

// What disturbs the looks of a made-up machine.
struct Noise {
  const char* name;
  double jitter = 0.01;  // of every look, relative
  // In bursts, looks take up to twice as long.
  double burst_part = 0;    // of all looks
  double burst_looks = 20;  // in a row
  double hit_part = 0;      // the same, of looks by themselves
  double drift = 0;         // of the pace, up and down over 1200 looks
  double jump_part = 0;     // of looks in which the clock jumps a minute forward
  double still_part = 0;    // in which it stands still
};

// Times looks at candidates of known costs.
class NoisyMachine {
 public:
  NoisyMachine(const Noise& noise, unsigned seed) : noise_(noise), random_(seed) {
    phase_ = 6.28 * Uniform();
  }

  double Look(double cost) {
    ++looks_;
    const double leave = 1 / noise_.burst_looks;
    const double enter = noise_.burst_part / (1 - noise_.burst_part) * leave;
    if (Uniform() < (in_burst_ ? leave : enter)) in_burst_ = !in_burst_;
    double time = cost * (1 + noise_.jitter * RandomFloat(random_));
    if (in_burst_ || Uniform() < noise_.hit_part) time *= 1 + Uniform();
    time *= 1 + noise_.drift * std::sin(phase_ + looks_ / 191.0);
    if (Uniform() < noise_.jump_part) time += 60e6;
    if (Uniform() < noise_.still_part) time = 0;
    return time;
  }

  double Uniform() { return static_cast<double>(random_()) * 0x1p-32; }

 private:
  const Noise& noise_;
  std::mt19937 random_;
  double phase_;
  bool in_burst_ = false;
  int looks_ = 0;
};

constexpr auto kNever = [] { return false; };

class RaceInNoise : public ::testing::TestWithParam<Noise> {};

TEST_P(RaceInNoise, FindsTheBestOfTen) {
  const int runs = Rounds(1000);
  int best = 0, wrong_but_sure = 0;
  for (int run = 0; run < runs; ++run) {
    NoisyMachine machine(GetParam(), run);
    std::vector<double> costs;
    for (int i = 0; i < 10; ++i) costs.push_back(i == 0 ? 1 : 1 + 0.04 * i);
    std::rotate(costs.begin(), costs.begin() + run % 10, costs.end());
    Race race(10);
    race.Run([&](int candidate) { return machine.Look(costs[candidate]); }, kNever);
    EXPECT_TRUE(race.over());
    if (costs[race.leader()] == 1) {
      ++best;
    } else if (race.decided()) {
      ++wrong_but_sure;
    }
    for (int i = 0; i < 10; ++i) {
      for (const Speedup& speed : {race.OverLeader(i), race.Over(run % 10, i)}) {
        EXPECT_LE(speed.min, speed.times);
        EXPECT_LE(speed.times, speed.max);
        EXPECT_GT(speed.min, 0);
      }
      EXPECT_LE(race.OverLeader(i).times, 1);
    }
  }
  EXPECT_GE(best, runs * 98 / 100);
  EXPECT_LE(wrong_but_sure, runs / 100);
}

INSTANTIATE_TEST_SUITE_P(
    Noises, RaceInNoise,
    ::testing::Values(Noise{.name = "None", .jitter = 0}, Noise{.name = "Jitter", .jitter = 0.03},
                      Noise{.name = "Bursts", .burst_part = 0.4},
                      Noise{.name = "LongBursts", .burst_part = 0.3, .burst_looks = 200},
                      Noise{.name = "HalfOfAllLooks", .hit_part = 0.5},
                      Noise{.name = "Drift", .drift = 0.3},
                      Noise{.name = "Jumps", .jump_part = 0.05},
                      Noise{.name = "StandsStill", .still_part = 0.1},
                      Noise{.name = "Everything",
                            .jitter = 0.02,
                            .burst_part = 0.3,
                            .hit_part = 0.05,
                            .drift = 0.2,
                            .jump_part = 0.01,
                            .still_part = 0.01}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Race, LooksInTurnAndBeginsEachRoundWithAnother) {
  Race race(3);
  std::vector<int> order;
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(race.between_heats(), i == 0);
    order.push_back(race.next());
    race.Add(1);
  }
  EXPECT_EQ(order, (std::vector{0, 1, 2, 1, 2, 0}));
  EXPECT_TRUE(race.between_heats());
  EXPECT_EQ(race.heats(), 1);
}

TEST(Race, TellsHowFastEachIs) {
  const std::vector<double> costs = {1.3, 1, 2};
  Race race(3);
  int looks = 0;
  race.Run([&](int candidate) { return ++looks, costs[candidate]; }, kNever);
  EXPECT_TRUE(race.decided());
  EXPECT_EQ(race.leader(), 1);
  EXPECT_EQ(looks, Race::kMinHeats * Race::kRounds * 3);
  for (int i = 0; i < 3; ++i) {
    for (const int base : {1, 2}) {
      const Speedup speed = base == 1 ? race.OverLeader(i) : race.Over(2, i);
      EXPECT_DOUBLE_EQ(speed.times, costs[base] / costs[i]);
      EXPECT_DOUBLE_EQ(speed.min, speed.times);
      EXPECT_DOUBLE_EQ(speed.max, speed.times);
    }
  }
}

// What differs by less than kEqual needs no order.
TEST(Race, IsDecidedAmongEquals) {
  const Noise noise{.name = "", .jitter = 0.005};
  int decided = 0;
  for (int run = 0; run < 100; ++run) {
    NoisyMachine machine(noise, run);
    Race race(5);
    race.Run([&](int) { return machine.Look(1); }, kNever);
    decided += race.decided() ? 1 : 0;
  }
  EXPECT_GE(decided, 98);
}

// Who may be faster than the leader is seen by that.
TEST(Race, IsInDoubtOfWhatItDidNotSee) {
  const Noise noise{.name = "", .jitter = 0.1};
  NoisyMachine machine(noise, 1);
  Race race(4);
  int looks = 0;
  race.Run([&](int) { return machine.Look(1); }, [&] { return ++looks > 8 * Race::kRounds * 4; });
  ASSERT_FALSE(race.decided());
  const double times = race.Over(0, race.leader()).times;
  double may_be = 0;
  for (int i = 0; i < 4; ++i) {
    if (i != race.leader()) may_be = std::max(may_be, race.Over(0, i).max);
  }
  EXPECT_GT(may_be, times * Race::kEqual);
}

// What a few heats tell is not sure, but better than nothing.
TEST(Race, TakesTheBestOfAFewHeats) {
  Race race(3);
  int looks = 0;
  race.Run([](int candidate) { return 10.0 - candidate; },
           [&] { return ++looks > 2 * Race::kRounds * 3; });
  EXPECT_EQ(race.heats(), 2);
  EXPECT_EQ(race.leader(), 2);
  EXPECT_EQ(race.OverLeader(0).times, 0.8);
  EXPECT_EQ(race.Over(0, 2).times, 1.25);
  EXPECT_EQ(race.OverLeader(0).max, Race::kFar);
}

// Where noise hides the order, it says so.
TEST(Race, IsNotDecidedWhereNothingCanBeTold) {
  const Noise noise{.name = "", .jitter = 0.3};
  int decided = 0;
  for (int run = 0; run < 100; ++run) {
    NoisyMachine machine(noise, run);
    Race race(5);
    race.Run([&](int candidate) { return machine.Look(candidate == run % 5 ? 1 : 1.03); }, kNever);
    EXPECT_TRUE(race.over());
    decided += race.decided() ? 1 : 0;
  }
  EXPECT_LE(decided, 5);
}

TEST(Race, OneCandidateNeedsNoLongLook) {
  Race race(1);
  int looks = 0;
  race.Run([&](int) { return ++looks, 7.0; }, kNever);
  EXPECT_TRUE(race.decided());
  EXPECT_EQ(race.leader(), 0);
  EXPECT_LE(looks, Race::kMinHeats * Race::kRounds);
}

TEST(Race, EndsWithAClockThatTellsNothing) {
  for (const double cost :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
        -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()}) {
    Race race(4);
    int looks = 0;
    race.Run([&](int) { return ++looks, cost; }, kNever);
    EXPECT_FALSE(race.decided());
    EXPECT_EQ(race.heats(), 0);
    EXPECT_LE(looks, 4 * Race::kRounds * Race::kMaxHeats);
    EXPECT_EQ(race.OverLeader(1).max, Race::kFar);
  }
}

TEST(Race, KeepsItsTime) {
  for (const double budget : {0.0, 1.0, 100.0, 1000.0}) {
    double now = 0;
    Race race(5);
    race.Run([&](int candidate) { return now += 2, candidate + 20.0; },
             [&] { return now > budget; });
    EXPECT_LE(now, budget + 2);
    EXPECT_EQ(race.over(), budget == 1000);
    EXPECT_EQ(race.heats(), std::min<int>(static_cast<int>(budget) / 2 / 10, Race::kMinHeats));
  }
}

// Whoever was suspended for a minute in mid-measurement has no time left, and what it knows then
// stands; if there is time, the one look does no harm.
TEST(Race, OneEnormousLookIsPassedOver) {
  for (int suspended = 0; suspended < Race::kMinHeats * Race::kRounds * 3; ++suspended) {
    for (const double budget : {1e6, 100e9}) {
      double now = 0;
      int looks = 0;
      Race race(3);
      const auto look = [&](int candidate) {
        const double took = looks++ == suspended ? 60e9 : candidate == 1 ? 100 : 110;
        now += took;
        return took;
      };
      race.Run(look, [&] { return now > budget; });
      if (budget < 60e9) {
        EXPECT_EQ(looks, suspended + 1);
      } else {
        EXPECT_TRUE(race.decided());
        EXPECT_EQ(race.leader(), 1);
        EXPECT_DOUBLE_EQ(race.Over(0, 1).times, 1.1);
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
