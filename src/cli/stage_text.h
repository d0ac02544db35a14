// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_STAGE_TEXT_H_
#define BITFETCH_CLI_STAGE_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/stage_profile.h"

namespace bitfetch {

// Where the time of a token went.
struct StageShare {
  std::string stage;
  double us_per_token;
  double share;  // of the time
  double bytes_per_token;
  double gb_per_s;
  double fraction;  // of peak read bandwidth
};

// The stages that `tokens` tokens went through, and the whole of them.
std::vector<StageShare> StageShares(const StageProfile& profile, int64_t tokens,
                                    double read_gb_per_s);

// The same as a table.
std::string StageTable(const StageProfile& profile, int64_t tokens, double read_gb_per_s);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_STAGE_TEXT_H_
