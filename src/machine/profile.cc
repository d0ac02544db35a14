// SPDX-License-Identifier: Apache-2.0
#include "machine/profile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <type_traits>

#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr std::array<std::string_view, 3> kSourceNames = {"default", "quick", "tune"};

// Calls visit(name, value, lowest, highest) for every number of a profile.
template <class Profile, class Visit>
void VisitNumbers(Profile& profile, Visit&& visit) {
  visit("cores", profile.cores, 1, 1 << 16);
  visit("l1d_bytes", profile.l1d_bytes, 1 << 10, 1 << 24);
  visit("l2_bytes", profile.l2_bytes, 1 << 10, 1 << 30);
  visit("l3_bytes", profile.l3_bytes, 0, int64_t{1} << 36);
  visit("latency_ns", profile.latency_ns, 1, 1e5);
  visit("latency_4k_ns", profile.latency_4k_ns, 1, 1e5);
  visit("loaded_latency_ns", profile.loaded_latency_ns, 1, 1e5);
  visit("loaded_latency_4k_ns", profile.loaded_latency_4k_ns, 1, 1e5);
  visit("jitter_ns", profile.jitter_ns, 0, 1e5);
  visit("misses_in_flight", profile.misses_in_flight, 1, 1000);
  for (auto& read : profile.reads) {
    visit("reads: threads", read.threads, 1, 1 << 16);
    visit("reads: width_bytes", read.width_bytes, 1, 1 << 10);
    visit("reads: streams", read.streams, 0, 1 << 10);
    visit("reads: bytes_per_s", read.bytes_per_s, 1e6, 1e14);
  }
  for (auto& kernel : profile.kernels) {
    visit("kernels: value_bits", kernel.value_bits, 1, 64);
    visit("kernels: hot_bytes_per_s", kernel.hot_bytes_per_s, 1e6, 1e14);
    for (auto& gain : kernel.gains) {
      visit("gains: threads", gain.threads, 1, 1 << 16);
      visit("gains: streams", gain.streams, 1, 1 << 10);
      for (auto* number : {&gain.contiguous.times, &gain.contiguous.min, &gain.contiguous.max}) {
        visit("gains: contiguous", *number, 1e-3, 1e3);
      }
      for (auto* number : {&gain.paged.times, &gain.paged.min, &gain.paged.max}) {
        visit("gains: paged", *number, 1e-3, 1e3);
      }
    }
  }
}

// As times must lie between min and max.
Speedup InOrder(const Speedup& speedup) {
  return {speedup.times, std::min(speedup.min, speedup.times),
          std::max(speedup.max, speedup.times)};
}

bool IsInOrder(const Speedup& speedup) {
  return speedup.min <= speedup.times && speedup.times <= speedup.max;
}

}  // namespace

std::string_view PrefetchHintName(PrefetchHint hint) {
  return hint == PrefetchHint::kL1 ? "l1" : "l2";
}

std::string_view KernelDataName(KernelData data) {
  return data == KernelData::kKv ? "kv" : "weights";
}

std::string_view ProfileSourceName(ProfileSource source) {
  return kSourceNames[static_cast<size_t>(source)];
}

void SetFacts(MachineProfile& profile, const Topology& topology) {
  profile.cpu = topology.cpu;
  profile.cores = topology.cores;
  if (topology.cache_source == CacheSource::kDefault) return;  // `tune` may have measured them
  profile.l1d_bytes = topology.l1d_bytes;
  profile.l2_bytes = topology.l2_bytes;
  profile.l3_bytes = topology.l3_bytes;
}

MachineProfile DefaultProfile(const Topology& topology) {
  MachineProfile profile;
  SetFacts(profile, topology);
  return profile;
}

Status CheckProfile(const MachineProfile& profile) {
  if (profile.reads.empty()) return Fail("reads is empty");
  if (profile.kernels.empty()) return Fail("kernels is empty");
  for (const KernelSpeed& kernel : profile.kernels) {
    if (kernel.gains.empty()) return Fail("gains is empty");
    if (!IsPrintableAscii(kernel.name)) {
      return Fail("{} is no kernel's name", Printable(kernel.name));
    }
  }
  Status status;
  VisitNumbers(profile, [&](const char* name, auto value, auto low, auto high) {
    if (status && !(value >= low && value <= high)) {  // NaN is not
      status = Fail("{} is {}, and can only be from {} to {}", name, value, low, high);
    }
  });
  BITFETCH_RETURN_IF_ERROR(status);
  for (const KernelSpeed& kernel : profile.kernels) {
    for (const PrefetchGain& gain : kernel.gains) {
      if (!IsInOrder(gain.contiguous) || !IsInOrder(gain.paged)) {
        return Fail("gains: times is not between min and max");
      }
    }
  }
  return {};
}

MachineProfile ClampProfile(const MachineProfile& profile) {
  const MachineProfile usual;
  MachineProfile sane = profile;
  const auto broken = [](double value) { return std::isnan(value); };
  const auto broken_speedup = [&](const Speedup& speedup) {
    return broken(speedup.times) || broken(speedup.min) || broken(speedup.max);
  };
  for (double MachineProfile::*field :
       {&MachineProfile::latency_ns, &MachineProfile::latency_4k_ns,
        &MachineProfile::loaded_latency_ns, &MachineProfile::loaded_latency_4k_ns,
        &MachineProfile::jitter_ns, &MachineProfile::misses_in_flight}) {
    if (broken(sane.*field)) sane.*field = usual.*field;
  }
  std::erase_if(sane.reads, [&](const ReadSpeed& read) { return broken(read.bytes_per_s); });
  std::erase_if(sane.kernels, [&](KernelSpeed& kernel) {
    std::erase_if(kernel.gains, [&](const PrefetchGain& gain) {
      return broken_speedup(gain.contiguous) || broken_speedup(gain.paged);
    });
    for (PrefetchGain& gain : kernel.gains) {
      gain.contiguous = InOrder(gain.contiguous);
      gain.paged = InOrder(gain.paged);
    }
    return kernel.gains.empty() || !IsPrintableAscii(kernel.name) || broken(kernel.value_bits) ||
           broken(kernel.hot_bytes_per_s);
  });
  if (sane.reads.empty()) sane.reads = usual.reads;
  if (sane.kernels.empty()) sane.kernels = usual.kernels;
  VisitNumbers(sane, [](const char*, auto& value, auto low, auto high) {
    using Number = std::remove_reference_t<decltype(value)>;
    value = std::clamp(value, static_cast<Number>(low), static_cast<Number>(high));
  });
  return sane;
}

double ReadBytesPerSecond(const MachineProfile& profile, int threads) {
  std::map<int, double> best;  // by number of threads
  for (const ReadSpeed& read : profile.reads) {
    double& speed = best[read.threads];
    speed = std::max(speed, read.bytes_per_s);
  }
  const auto above = best.lower_bound(threads);
  if (above == best.end()) return best.rbegin()->second;
  if (above == best.begin()) return above->second;
  const auto below = std::prev(above);
  const double part = static_cast<double>(threads - below->first) / (above->first - below->first);
  return below->second + part * (above->second - below->second);
}

const KernelSpeed* FindKernel(const MachineProfile& profile, std::string_view name) {
  for (const KernelSpeed& kernel : profile.kernels) {
    if (kernel.name == name) return &kernel;
  }
  return nullptr;
}

}  // namespace bitfetch
