// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_PROBE_H_
#define BITFETCH_MACHINE_PROBE_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "machine/cold_buffer.h"
#include "machine/profile.h"
#include "machine/topology.h"

namespace bitfetch {

// kQuick ends after 150 ms and runs beside the loading of a model; kTune takes 3 seconds, or 8
// where others disturb, or longer where the system is slow to give memory, tries every way to read
// and every number of threads, and repeats more.
enum class ProbeEffort { kQuick, kTune };

// Measures the kernels that a profile holds, for who lies below them and knows none
// (engine/engine_probe.h). One without names measures nothing.
struct KernelProbe {
  struct Ground {
    ColdBuffer& buffer;
    PageSize pages;  // that it sits on
    ThreadPool& pool;
    double deadline_ns;  // as NowNs counts
  };

  std::vector<std::string> names;  // of the kernels
  // Adds them, or more of their gains, to the profile; false if time ran out before.
  std::function<bool(const Ground&, MachineProfile&)> measure;
};

struct Measurement {
  MachineProfile profile;
  // False: time ran out, and what was not measured has its default; or the threads were pinned to
  // fewer cores than they are.
  bool complete;
};

// Measures what MachineProfile describes, with `topology.threads` threads of its own. Other work
// that runs meanwhile disturbs little: the best of several short looks counts. What is `known`, if
// given, stays as it is but for the kernels that are measured. Fails without memory for a buffer
// larger than the caches, or when the system is too slow to give it.
Result<Measurement> MeasureMachine(const Topology& topology, ProbeEffort effort,
                                   const KernelProbe& kernels,
                                   const MachineProfile* known = nullptr);

struct ProbedProfile {
  MachineProfile profile;
  std::string
      warning;  // one line for a person if something kept it from being read or kept, or empty
};

// The profile kept for this machine (machine/profile_store.h); else, or where it lacks one of the
// kernels, what MeasureMachine finds with that effort, which is then kept if it is complete; else
// the default. Never fails. Takes as long as MeasureMachine in the first run and under a
// millisecond later.
ProbedProfile ReadOrMeasureProfile(const Topology& topology, ProbeEffort effort,
                                   std::string_view version, const KernelProbe& kernels);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_PROBE_H_
