// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_CACHE_SIZES_H_
#define BITFETCH_MACHINE_CACHE_SIZES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitfetch {

// Sizes of caches from how long loads take, for machines where nobody tells them.
struct CacheSizes {
  int64_t l1d_bytes = 0;  // powers of two; 0: not found
  int64_t l2_bytes = 0;
  int64_t l3_bytes = 0;
};

// How long a load takes from random places of so many bytes that were all read before.
struct SizeLatency {
  int64_t bytes;
  double ns;
};

// For sizes from 8 KiB on, each twice the one before, as far as `zeros` (touched memory full of
// zeros) and the time reach. Costs 0.3 s for 64 MiB.
std::vector<SizeLatency> MeasureLatencies(std::span<const std::byte> zeros, double deadline_ns);

// A cache ends where latency begins to rise: at the last size before a rise, which may take several
// steps.
CacheSizes FindCacheSizes(std::span<const SizeLatency> latencies);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_CACHE_SIZES_H_
