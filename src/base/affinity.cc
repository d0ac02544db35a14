// SPDX-License-Identifier: Apache-2.0
#include "base/affinity.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace bitfetch {

int AffinityCpus() {
  for (size_t n = 1024; n <= (1 << 20); n *= 4) {  // the kernel's mask may be wider than cpu_set_t
    std::vector<cpu_set_t> mask(CPU_ALLOC_SIZE(n) / sizeof(cpu_set_t) + 1);
    const size_t bytes = mask.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) == 0) return CPU_COUNT_S(bytes, mask.data());
  }
  return std::max<int>(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

}  // namespace bitfetch
