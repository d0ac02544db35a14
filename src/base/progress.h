// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_PROGRESS_H_
#define BITFETCH_BASE_PROGRESS_H_

#include <cstdint>
#include <functional>

namespace bitfetch {

// How much of something is done, for a progress line.
using Progress = std::function<void(int64_t done, int64_t total)>;

}  // namespace bitfetch

#endif  // BITFETCH_BASE_PROGRESS_H_
