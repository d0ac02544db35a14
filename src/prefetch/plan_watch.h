// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_PLAN_WATCH_H_
#define BITFETCH_PREFETCH_PLAN_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "machine/profile.h"
#include "machine/race.h"
#include "prefetch/law.h"

namespace bitfetch {

// Sees while a long run goes on whether the law's plan is right for this machine, whatever was
// measured before: now and then a heat of a Race against another plan, the best of the others
// first, in attention that is computed anyway, with the same bits. Knows no clock.
class PlanWatch {
 public:
  // Times that attention goes by the law between two heats, which take 4: of 30 layers, one heat in
  // 2 tokens at first, since a plan that is wrong is wrong from the start; twice as seldom after
  // each race that it did not lose, up to one heat in 16. If another plan takes 1.1 times as long,
  // that costs 0.3 % of attention, and less than 0.1 % in the end.
  static constexpr int kMinRest = 60;
  static constexpr int kMaxRest = 480;

  PlanWatch(const MachineProfile& profile, const PrefetchAccess& access);

  // Whether it tells anything how long attention over so many bytes takes, in a pass that reads so
  // many in all: long enough for each thread, and of memory that no cache holds.
  bool Tells(int64_t bytes, int64_t pass_bytes) const;

  // By which plan attention goes the next time.
  const PrefetchPlan& plan() const;
  // What that cost: time for each byte.
  void Add(double cost);

  // The law's plan is surely slower than another, by more than Race::kEqual: two races said so.
  // From then on all goes by the law's plan again.
  bool found_better() const { return found_better_; }
  // If so, takes what was found into a profile, after which the law does not choose that plan.
  void Mend(MachineProfile& profile) const;

 private:
  // A plan, and what it was asked for by.
  struct Way {
    PrefetchPlan plan = {};
    PrefetchHint hint = PrefetchHint::kL1;
    int streams = 1;
  };

  PrefetchAccess access_;
  int64_t cache_bytes_;
  Way chosen_;
  std::vector<Way> others_;  // perhaps none
  size_t other_ = 0;         // that races against the chosen one
  Race race_{2};
  int rest_between_heats_ = kMinRest;
  int rest_ = kMinRest;
  bool won_ = false;  // the last race, by the other
  bool found_better_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_PLAN_WATCH_H_
