// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_CGROUP_H_
#define BITFETCH_MACHINE_CGROUP_H_

#include <cstdint>
#include <optional>
#include <string>

namespace bitfetch {

// What the control groups (v1 and v2) of this process and those above them allow; nothing where
// they set no limit. Linux kernel documentation: admin-guide/cgroup-v1, admin-guide/cgroup-v2.rst.
struct CgroupLimits {
  std::optional<double> cpus;           // CPU time a second, in CPUs
  std::optional<int64_t> memory_bytes;  // the lowest limit
  std::optional<int64_t> memory_left;   // what may still be taken; file cache counts as free
};

// `root` is where /proc and the mounted groups are looked for. What cannot be read sets no limit.
CgroupLimits ReadCgroupLimits(const std::string& root = "");

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_CGROUP_H_
