// SPDX-License-Identifier: Apache-2.0
// For tests: a process that is kept to one of its CPUs.
#ifndef BITFETCH_BASE_TEST_AFFINITY_H_
#define BITFETCH_BASE_TEST_AFFINITY_H_

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <string>

namespace bitfetch {

// Pins all threads that the process has, and those that they start, to the last CPU that this one
// may use, as `taskset -a -p` does, and lets them go again.
class PinnedToOneCpu {
 public:
  PinnedToOneCpu() {
    EXPECT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0);
    int last = CPU_SETSIZE - 1;
    while (last > 0 && !CPU_ISSET(last, &before_)) --last;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    SetAll(one);
  }
  ~PinnedToOneCpu() { SetAll(before_); }
  PinnedToOneCpu(const PinnedToOneCpu&) = delete;
  PinnedToOneCpu& operator=(const PinnedToOneCpu&) = delete;

 private:
  static void SetAll(const cpu_set_t& mask) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      sched_setaffinity(std::stoi(task.path().filename()), sizeof mask, &mask);
    }
  }

  cpu_set_t before_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_TEST_AFFINITY_H_
