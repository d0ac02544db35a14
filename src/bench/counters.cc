// SPDX-License-Identifier: Apache-2.0
#include "bench/counters.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace bitfetch {
namespace {

constexpr uint64_t ReadMisses(uint64_t cache) {
  return cache | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16;
}

constexpr std::array<CounterEvent, 5> kMissEvents = {{
    {"l1d_read_misses", PERF_TYPE_HW_CACHE, ReadMisses(PERF_COUNT_HW_CACHE_L1D)},
    {"llc_read_misses", PERF_TYPE_HW_CACHE, ReadMisses(PERF_COUNT_HW_CACHE_LL)},
    {"dtlb_read_misses", PERF_TYPE_HW_CACHE, ReadMisses(PERF_COUNT_HW_CACHE_DTLB)},
    {"stalled_cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND},
    {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
}};

int OpenEvent(const CounterEvent& event) {
  perf_event_attr attributes = {};
  attributes.size = sizeof(attributes);
  attributes.type = event.type;
  attributes.config = event.config;
  attributes.disabled = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

std::string WhyNot(int error) {
  switch (error) {
    case ENOENT:
    case EOPNOTSUPP:
    case ENODEV:
      return "this machine has no hardware counters for it, as most virtual machines";
    case EACCES:
    case EPERM:
      return "the system does not let this user (see /proc/sys/kernel/perf_event_paranoid, or the "
             "container's rules)";
    case ENOSYS:
      return "this kernel has no perf_event_open";
    default:
      return std::system_category().message(error);
  }
}

}  // namespace

std::span<const CounterEvent> MissEvents() { return kMissEvents; }

Result<Counters> Counters::Open(std::span<const CounterEvent> events) {
  std::vector<int> files;
  int error = 0;
  for (const CounterEvent& event : events) {
    files.push_back(OpenEvent(event));
    if (files.back() < 0) error = errno;
  }
  Counters counters(std::move(files));
  if (std::ranges::all_of(counters.files_, [](int file) { return file < 0; })) {
    return Fail("{}", WhyNot(error));
  }
  return counters;
}

Counters::~Counters() {
  for (const int file : files_) {
    if (file >= 0) close(file);
  }
}

void Counters::Start() {
  for (const int file : files_) {
    if (file >= 0) ioctl(file, PERF_EVENT_IOC_ENABLE, 0);
  }
}

void Counters::Stop() {
  for (const int file : files_) {
    if (file >= 0) ioctl(file, PERF_EVENT_IOC_DISABLE, 0);
  }
}

std::vector<std::optional<double>> Counters::Read() const {
  std::vector<std::optional<double>> counts;
  for (const int file : files_) {
    std::optional<double>& count = counts.emplace_back();
    struct {
      uint64_t value, enabled_ns, running_ns;
    } got = {};
    if (file < 0 || read(file, &got, sizeof(got)) != sizeof(got)) continue;
    if (got.enabled_ns > 0 && got.running_ns == 0) continue;  // never had its turn
    count = static_cast<double>(got.value);
    if (got.running_ns > 0) {
      *count *= static_cast<double>(got.enabled_ns) / static_cast<double>(got.running_ns);
    }
  }
  return counts;
}

}  // namespace bitfetch
