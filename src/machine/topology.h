// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_TOPOLOGY_H_
#define BITFETCH_MACHINE_TOPOLOGY_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace bitfetch {

inline constexpr int64_t kLineBytes = 64;  // what one prefetch fetches, on every ISA here

// Where cache sizes came from: hwloc, then what the C library tells (CPUID), then defaults, in the
// place of which a machine profile may hold measured ones.
enum class CacheSource { kHwloc, kSystem, kDefault };

std::string_view CacheSourceName(CacheSource source);  // "hwloc", "system", "default"

// What is fixed about this machine, as this process sees it. Cores that differ count as the
// weakest.
struct Topology {
  std::string cpu;  // the model's name
  int cores = 1;    // physical ones that this process may use
  int cpus = 1;     // hardware threads that this process may use (affinity)
  int threads = 1;  // how many run at once: those, less what a cgroup's quota takes away

  int64_t line_bytes = kLineBytes;     // as the CPU says
  int64_t l1d_bytes = 32 << 10;        // of a core
  int64_t l2_bytes = 512 << 10;        // one instance
  int64_t l3_bytes = 8 << 20;          // one instance; 0: there is none
  int64_t last_level_bytes = 8 << 20;  // all instances of the last level together
  CacheSource cache_source = CacheSource::kDefault;
};

// Reads it anew: some milliseconds.
Topology ReadTopology();

// Bytes that this process could still take without swapping: what the system has free or can
// reclaim, less what a cgroup forbids.
int64_t AvailableMemory();

// The rule for a name where hwloc has none, from the text of /proc/cpuinfo; "unknown CPU" if that
// says nothing.
std::string CpuNameFromCpuinfo(std::string_view cpuinfo);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_TOPOLOGY_H_
