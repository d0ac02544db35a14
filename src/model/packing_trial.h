// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_PACKING_TRIAL_H_
#define BITFETCH_MODEL_PACKING_TRIAL_H_

#include <span>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/weights_access.h"

namespace bitfetch {

// What one token with these matrices takes in either packing, fetched as planned, each at its best
// of a few times in turn. They lie in kFours, together in more memory than the caches hold; the
// same bytes, in which any codes are as good, are read as kFives too. Takes as long as reading them
// sixteen times.
struct PackingTrial {
  double fours_ns = 0;
  double fives_ns = 0;
};
PackingTrial TryPackings(std::span<const TernaryRows> matrices, const WeightsPlans& plans,
                         const Kernels& kernels, ThreadPool& pool);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_PACKING_TRIAL_H_
