// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_INSTRUCTION_H_
#define BITFETCH_PREFETCH_INSTRUCTION_H_

#include <cstddef>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace bitfetch {

inline constexpr size_t kCacheLineBytes = 64;

// Asks the core to bring the cache line of `address` into L1, and goes on at once. Never faults,
// whatever the address. Always inlined, also into code that is built for another ISA.
[[gnu::always_inline]] inline void PrefetchLine(const void* address) {
#if defined(__x86_64__)
  _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0);
#elif defined(__aarch64__)
  asm volatile("prfm pldl1keep, [%0]" : : "r"(address));
#else
  __builtin_prefetch(address, 0, 3);
#endif
}

// The same into L2 only, for what is needed a stage later.
[[gnu::always_inline]] inline void PrefetchLineToL2(const void* address) {
#if defined(__x86_64__)
  _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T1);
#elif defined(__aarch64__)
  asm volatile("prfm pldl2keep, [%0]" : : "r"(address));
#else
  __builtin_prefetch(address, 0, 2);
#endif
}

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_INSTRUCTION_H_
