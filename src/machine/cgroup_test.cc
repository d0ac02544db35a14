// SPDX-License-Identifier: Apache-2.0
#include "machine/cgroup.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace bitfetch {
namespace {

namespace fs = std::filesystem;

// A file system tree of its own, with what the kernel would show.
class CgroupTest : public ::testing::Test {
 protected:
  CgroupTest() {
    root_ = fs::path(::testing::TempDir()) /
            ("cgroup_test_" + std::to_string(getpid()) + "_" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
  }
  ~CgroupTest() override { fs::remove_all(root_); }

  void Write(const fs::path& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }

  fs::path root_;
};

constexpr char kV2Mounts[] =
    "22 28 0:21 / /proc rw shared:13 - proc proc rw\n"
    "33 28 0:28 / /sys/fs/cgroup rw,nosuid shared:9 master:3 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST_F(CgroupTest, NoGroupsNoLimits) {
  const CgroupLimits limits = ReadCgroupLimits(root_);
  EXPECT_FALSE(limits.cpus || limits.memory_bytes || limits.memory_left);
}

TEST_F(CgroupTest, V2TakesTheLowestOfAllLevels) {
  Write("proc/self/cgroup", "0::/a/b\n");
  Write("proc/self/mountinfo", kV2Mounts);
  Write("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  Write("sys/fs/cgroup/a/memory.max", "1000000\n");
  Write("sys/fs/cgroup/a/memory.current", "900000\n");
  Write("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 200000\nactive_file 100000\n");
  Write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/a/b/memory.max", "2000000\n");
  Write("sys/fs/cgroup/a/b/memory.current", "100\n");
  const CgroupLimits limits = ReadCgroupLimits(root_);
  EXPECT_EQ(limits.cpus, 1.5);
  EXPECT_EQ(limits.memory_bytes, 1000000);
  EXPECT_EQ(limits.memory_left, 400000);
}

TEST_F(CgroupTest, V2WithoutLimits) {
  Write("proc/self/cgroup", "0::/\n");
  Write("proc/self/mountinfo", kV2Mounts);
  Write("sys/fs/cgroup/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/memory.max", "max\n");
  const CgroupLimits limits = ReadCgroupLimits(root_);
  EXPECT_FALSE(limits.cpus || limits.memory_bytes || limits.memory_left);
}

TEST_F(CgroupTest, V1ControllersHaveMountsOfTheirOwn) {
  Write("proc/self/cgroup", "5:memory:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n");
  Write("proc/self/mountinfo",
        "40 30 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "41 30 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "400000\n");
  Write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  Write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "5000\n");
  Write("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "4000\n");
  Write("sys/fs/cgroup/memory/box/memory.stat",
        "inactive_file 1\nactive_file 1\ntotal_inactive_file 300\ntotal_active_file 200\n");
  const CgroupLimits limits = ReadCgroupLimits(root_);
  EXPECT_EQ(limits.cpus, 4.0);
  EXPECT_EQ(limits.memory_bytes, 5000);
  EXPECT_EQ(limits.memory_left, 1500);
}

TEST_F(CgroupTest, InAContainerTheMountIsTheGroup) {
  Write("proc/self/cgroup", "0::/docker/12ab\n");
  Write("proc/self/mountinfo", "33 28 0:28 /docker/12ab /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  Write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(ReadCgroupLimits(root_).cpus, 2.0);

  Write("proc/self/cgroup", "0::/../elsewhere\n");  // seen from another namespace
  EXPECT_EQ(ReadCgroupLimits(root_).cpus, 2.0);
}

TEST_F(CgroupTest, DamagedFilesSetNoLimit) {
  Write("proc/self/cgroup", "nonsense\n::\n0::/a\n");
  Write("proc/self/mountinfo", fmt::format("33\n\n{}", kV2Mounts));
  Write("sys/fs/cgroup/a/cpu.max", "lots of\n");
  Write("sys/fs/cgroup/a/memory.max", "-5\n");
  const CgroupLimits limits = ReadCgroupLimits(root_);
  EXPECT_FALSE(limits.cpus || limits.memory_bytes || limits.memory_left);
  Write("sys/fs/cgroup/a/cpu.max", "0 0\n");
  EXPECT_FALSE(ReadCgroupLimits(root_).cpus);
}

TEST(Cgroup, ThisMachineHasSaneLimits) {
  const CgroupLimits limits = ReadCgroupLimits();
  EXPECT_GT(limits.cpus.value_or(1), 0);
  EXPECT_GT(limits.memory_bytes.value_or(1), 0);
}

}  // namespace
}  // namespace bitfetch
