// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_RACE_H_
#define BITFETCH_MACHINE_RACE_H_

#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "machine/speedup.h"

namespace bitfetch {

// Which of several candidates costs least, found by looks at each in turn on a machine that does
// other things too. Knows no clock: whoever looks says what a look cost.
//
// Disturbances make a look longer, seldom shorter, and come in bursts; beneath them the machine's
// pace drifts. So two rounds of looks make a heat, of which each candidate's shorter look
// counts, and who leads is told by the lower quartile of heats. How far another is behind is told
// by the ratio of what both cost in the same heat, which drifts little: by the median of these
// ratios, between order statistics of them that hold it with a confidence of 63/64 on either side,
// whatever their distribution (the sign test: Dixon and Mood, Journal of the American Statistical
// Association 41, 1946). A look of a minute spoils a heat at worst, and a quantile passes over
// that.
//
// Who is surely behind drops out, so that looks go to those that may win (Maron and Moore,
// "Hoeffding races", NIPS 1993). The race is decided when nobody who is left can be better than the
// leader by more than kEqual.
class Race {
 public:
  static constexpr double kEqual = 1.02;  // as a ratio: what differs by less is the same
  static constexpr int kRounds = 2;       // of a heat
  static constexpr int kMinHeats = 6;     // before anything is sure
  static constexpr int kMaxHeats = 36;

  explicit Race(int candidates);  // at least one

  // The candidate whose turn it is.
  int next() const { return in_[(turn_ + round_) % in_.size()]; }
  // What a look at it cost: time, or time for some unit of work. What is not above 0, or no number,
  // tells nothing; a heat in which that is all there is of somebody does not count.
  void Add(double cost);
  // Looks until it is over, or `late` says that time is up.
  void Run(FunctionRef<double(int candidate)> look, FunctionRef<bool()> late);

  // Whether the next look begins a heat.
  bool between_heats() const { return turn_ == 0 && round_ % kRounds == 0; }
  bool decided() const { return decided_; }
  // Decided, or after kMaxHeats, whether they counted or not.
  bool over() const { return decided_ || heats_run_ == kMaxHeats; }
  // Heats that counted: with none nothing is known, with fewer than kMinHeats nothing is sure.
  int heats() const { return heats_; }

  // Of those that are left.
  int leader() const { return leader_; }

  // How fast a candidate is over the leader, from 1/kFar to kFar, at most 1 times: of one that
  // dropped out, as it was then. {1, 1, 1} of the leader.
  static constexpr double kFar = 100;
  Speedup OverLeader(int candidate) const { return speeds_[candidate]; }
  // The same over `base`: of the leader, as the two were compared; of another, as it
  // compares with the leader. So who may be faster than the leader has a max above its times.
  Speedup Over(int base, int candidate) const;

 private:
  void EndHeat();
  void Judge();
  Speedup Compare(int candidate) const;

  std::vector<int> in_;                     // candidates that are left
  std::vector<double> heat_;                // [candidates] the shorter look of this heat
  std::vector<std::vector<double>> costs_;  // [candidates][heats]
  std::vector<Speedup> speeds_;             // [candidates] over the leader
  size_t turn_ = 0;                         // of this round
  int round_ = 0;
  int heats_run_ = 0;
  int heats_ = 0;
  int leader_ = 0;
  bool decided_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_RACE_H_
