// SPDX-License-Identifier: Apache-2.0
#include "machine/topology.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <thread>

namespace bitfetch {
namespace {

TEST(Topology, OfThisMachineIsSane) {
  const Topology topology = ReadTopology();
  EXPECT_FALSE(topology.cpu.empty());
  EXPECT_GE(topology.cores, 1);
  EXPECT_LE(topology.cores, topology.cpus);
  EXPECT_GE(topology.threads, 1);
  EXPECT_LE(topology.threads, topology.cpus);
  EXPECT_LE(topology.cpus, sysconf(_SC_NPROCESSORS_CONF));
  EXPECT_GE(topology.l1d_bytes, 4 << 10);
  EXPECT_LE(topology.l1d_bytes, topology.l2_bytes);
  EXPECT_GE(topology.line_bytes, 16);
  EXPECT_GE(topology.last_level_bytes, topology.l2_bytes);
  EXPECT_GE(topology.last_level_bytes, topology.l3_bytes);
  EXPECT_FALSE(CacheSourceName(topology.cache_source).empty());
}

TEST(Topology, AThreadBoundToOneCpuSeesOne) {
  std::thread([] {
    cpu_set_t mask;
    ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
    int first = 0;
    while (!CPU_ISSET(first, &mask)) ++first;
    CPU_ZERO(&mask);
    CPU_SET(first, &mask);
    ASSERT_EQ(sched_setaffinity(0, sizeof(mask), &mask), 0);
    const Topology topology = ReadTopology();
    EXPECT_EQ(topology.cpus, 1);
    EXPECT_EQ(topology.threads, 1);
    EXPECT_EQ(topology.cores, 1);
  }).join();
}

// hwloc's own means make a machine up: two cores of two hardware threads each.
TEST(Topology, CountsTheCoresOfItsAffinity) {
  cpu_set_t before, mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  if (!CPU_ISSET(0, &before) || !CPU_ISSET(1, &before)) GTEST_SKIP() << "CPUs 0 and 1 are not ours";
  CPU_ZERO(&mask);
  CPU_SET(0, &mask);
  CPU_SET(1, &mask);
  ASSERT_EQ(sched_setaffinity(0, sizeof(mask), &mask), 0);
  setenv("HWLOC_THISSYSTEM", "1", 1);
  setenv("HWLOC_SYNTHETIC", "package:1 l2:2(size=1MB) l1d:1(size=32KB) core:1 pu:2", 1);
  const Topology topology = ReadTopology();
  unsetenv("HWLOC_SYNTHETIC");
  unsetenv("HWLOC_THISSYSTEM");
  sched_setaffinity(0, sizeof(before), &before);
  EXPECT_EQ(topology.cpus, 2);
  EXPECT_EQ(topology.cores, 1);
}

TEST(Topology, AvailableMemoryIsPartOfWhatTheMachineHas) {
  const int64_t physical = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  EXPECT_GT(AvailableMemory(), 1 << 20);
  EXPECT_LE(AvailableMemory(), physical);
}

TEST(CpuName, ComesFromCpuinfo) {
  EXPECT_EQ(CpuNameFromCpuinfo("processor\t: 0\nmodel name\t:  AMD EPYC 7B13 \nflags\t: fpu\n"),
            "AMD EPYC 7B13");
  EXPECT_EQ(CpuNameFromCpuinfo("processor : 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"),
            "Arm part 0xd0c");
  EXPECT_EQ(CpuNameFromCpuinfo("CPU implementer : 0x99\nCPU part : 0x1\n"),
            "ARM implementer 0x99 part 0x1");
  for (const char* text :
       {"", "model name", "model name :\n", "CPU implementer : 0x41\n", "::\n"}) {
    EXPECT_EQ(CpuNameFromCpuinfo(text), "unknown CPU") << text;
  }
}

}  // namespace
}  // namespace bitfetch
