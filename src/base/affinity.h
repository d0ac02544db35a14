// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_AFFINITY_H_
#define BITFETCH_BASE_AFFINITY_H_

namespace bitfetch {

// Hardware threads that this thread may run on, or all that are online where the system does not
// say. One system call.
int AffinityCpus();

}  // namespace bitfetch

#endif  // BITFETCH_BASE_AFFINITY_H_
