// SPDX-License-Identifier: Apache-2.0
#include "machine/topology.h"

#include <fmt/format.h>
#include <hwloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <utility>

#include "base/affinity.h"
#include "machine/cgroup.h"

namespace bitfetch {
namespace {

std::string ReadText(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

struct DestroyTopology {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using HwlocTopology = std::unique_ptr<hwloc_topology, DestroyTopology>;

HwlocTopology LoadHwloc() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  HwlocTopology topology(raw);
  if (hwloc_topology_load(raw) != 0) return nullptr;
  return topology;
}

struct CacheLevel {
  int64_t smallest = 0;  // instance; 0: there is none
  int64_t all = 0;
};

CacheLevel ReadCacheLevel(hwloc_topology_t topology, hwloc_obj_type_t type, int64_t* line_bytes) {
  CacheLevel level;
  for (hwloc_obj_t cache = nullptr;
       (cache = hwloc_get_next_obj_by_type(topology, type, cache)) != nullptr;) {
    const auto bytes = static_cast<int64_t>(cache->attr->cache.size);
    if (bytes > 0 && (level.all == 0 || bytes < level.smallest)) level.smallest = bytes;
    level.all += bytes;
    if (cache->attr->cache.linesize > 0) *line_bytes = cache->attr->cache.linesize;
  }
  return level;
}

int CoresOfAffinity(hwloc_topology_t topology) {
  const std::unique_ptr<hwloc_bitmap_s, decltype(&hwloc_bitmap_free)> bound(hwloc_bitmap_alloc(),
                                                                            &hwloc_bitmap_free);
  const bool known = bound && hwloc_get_cpubind(topology, bound.get(), HWLOC_CPUBIND_THREAD) == 0;
  int cores = 0;
  for (hwloc_obj_t core = nullptr;
       (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core)) != nullptr;) {
    cores += !known || hwloc_bitmap_intersects(core->cpuset, bound.get());
  }
  return cores;
}

void AskHwloc(hwloc_topology_t hwloc, Topology& topology) {
  const hwloc_obj_t package = hwloc_get_obj_by_type(hwloc, HWLOC_OBJ_PACKAGE, 0);
  const char* name = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : nullptr;
  if (name != nullptr) topology.cpu = Trim(name);

  topology.cores = CoresOfAffinity(hwloc);
  const CacheLevel l1 = ReadCacheLevel(hwloc, HWLOC_OBJ_L1CACHE, &topology.line_bytes);
  const CacheLevel l2 = ReadCacheLevel(hwloc, HWLOC_OBJ_L2CACHE, &topology.line_bytes);
  const CacheLevel l3 = ReadCacheLevel(hwloc, HWLOC_OBJ_L3CACHE, &topology.line_bytes);
  if (l1.smallest > 0 && l2.smallest > 0) {
    topology.l1d_bytes = l1.smallest;
    topology.l2_bytes = l2.smallest;
    topology.l3_bytes = l3.smallest;
    topology.last_level_bytes = std::max(l2.all, l3.all);
    topology.cache_source = CacheSource::kHwloc;
  }
}

void AskSystem(Topology& topology) {
  const int64_t l1 = sysconf(_SC_LEVEL1_DCACHE_SIZE);
  const int64_t l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
  const int64_t l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
  const int64_t line = sysconf(_SC_LEVEL1_DCACHE_LINESIZE);
  if (l1 <= 0 || l2 <= 0) return;
  topology.l1d_bytes = l1;
  topology.l2_bytes = l2;
  topology.l3_bytes = std::max<int64_t>(l3, 0);
  topology.last_level_bytes = std::max(l2, l3);
  if (line > 0) topology.line_bytes = line;
  topology.cache_source = CacheSource::kSystem;
}

}  // namespace

std::string_view CacheSourceName(CacheSource source) {
  constexpr std::array<std::string_view, 3> kNames = {"hwloc", "system", "default"};
  return kNames[static_cast<size_t>(source)];
}

std::string CpuNameFromCpuinfo(std::string_view cpuinfo) {
  std::string implementer, part;
  std::stringstream in{std::string(cpuinfo)};
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = Trim(line.substr(0, colon));
    std::string value = Trim(line.substr(colon + 1));
    if (value.empty()) continue;
    if (key == "model name" || key == "Model") return value;
    if (key == "CPU implementer") implementer = value;
    if (key == "CPU part") part = value;
  }
  if (implementer.empty() || part.empty()) return "unknown CPU";
  // MIDR_EL1, Arm Architecture Reference Manual: the implementers that build machines for this
  // work.
  constexpr std::pair<std::string_view, std::string_view> kImplementers[] = {
      {"0x41", "Arm"},   {"0x48", "HiSilicon"}, {"0x4e", "NVIDIA"}, {"0x51", "Qualcomm"},
      {"0x61", "Apple"}, {"0x6d", "Microsoft"}, {"0xc0", "Ampere"}};
  for (const auto& [code, maker] : kImplementers) {
    if (implementer == code) return fmt::format("{} part {}", maker, part);
  }
  return fmt::format("ARM implementer {} part {}", implementer, part);
}

Topology ReadTopology() {
  Topology topology;
  if (const HwlocTopology hwloc = LoadHwloc()) AskHwloc(hwloc.get(), topology);
  if (topology.cache_source == CacheSource::kDefault) AskSystem(topology);
  if (topology.cpu.empty()) topology.cpu = CpuNameFromCpuinfo(ReadText("/proc/cpuinfo"));

  topology.cpus = AffinityCpus();
  topology.cores = std::clamp(topology.cores, 1, topology.cpus);
  topology.threads = topology.cpus;
  if (const auto cpus = ReadCgroupLimits().cpus; cpus && *cpus < topology.threads) {
    // Rounded down: a thread that the quota stops makes the others wait at every join.
    topology.threads = std::max(static_cast<int>(*cpus), 1);
  }
  return topology;
}

int64_t AvailableMemory() {
  int64_t available = 0;
  std::ifstream meminfo("/proc/meminfo");
  std::string key, unit;
  for (int64_t value; meminfo >> key >> value && std::getline(meminfo, unit);) {
    if (key == "MemAvailable:") available = value * 1024;
  }
  if (available <= 0) {  // before Linux 3.14
    available = int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  }
  if (const auto left = ReadCgroupLimits().memory_left) available = std::min(available, *left);
  return available;
}

}  // namespace bitfetch
