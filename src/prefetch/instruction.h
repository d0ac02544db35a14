// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_INSTRUCTION_H_
#define BITFETCH_PREFETCH_INSTRUCTION_H_

#include <cstddef>
#include <cstdint>

namespace bitfetch {

inline constexpr size_t kCacheLineBytes = 64;

// Asks the core to bring the cache line of `address` into L1, and goes on at once. Never faults,
// whatever the address. Always inlined, also into code that is built for another ISA. In assembly:
// GCC takes a function that only calls its builtin for one without effect, and drops the call.
[[gnu::always_inline]] inline void PrefetchLine(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(address)));
#elif defined(__aarch64__)
  asm volatile("prfm pldl1keep, [%0]" : : "r"(address));
#else
  __builtin_prefetch(address, 0, 3);
#endif
}

// The same for all lines of `bytes` bytes that begin with one.
inline void PrefetchBytes(const void* first, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += static_cast<int64_t>(kCacheLineBytes)) {
    PrefetchLine(static_cast<const std::byte*>(first) + i);
  }
}

// One line into L2 only, for what is needed a stage later.
[[gnu::always_inline]] inline void PrefetchLineToL2(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetcht1 %0" : : "m"(*static_cast<const char*>(address)));
#elif defined(__aarch64__)
  asm volatile("prfm pldl2keep, [%0]" : : "r"(address));
#else
  __builtin_prefetch(address, 0, 2);
#endif
}

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_INSTRUCTION_H_
