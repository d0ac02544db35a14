// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_PROBE_H_
#define BITFETCH_MACHINE_PROBE_H_

#include <string>
#include <string_view>

#include "base/error.h"
#include "machine/profile.h"
#include "machine/topology.h"

namespace bitfetch {

// kQuick ends after 150 ms and runs beside the loading of a model; kTune has 3 seconds, tries every
// way to read and every number of threads, and repeats more.
enum class ProbeEffort { kQuick, kTune };

struct Measurement {
  MachineProfile profile;
  bool complete;  // false: time ran out, and what was not measured has its default
};

// Measures what MachineProfile describes, with `topology.threads` threads of its own. Other work
// that runs meanwhile disturbs little: the best of several short looks counts. Fails without memory
// for a buffer larger than the caches, or when the machine is too busy to touch one.
Result<Measurement> MeasureMachine(const Topology& topology, ProbeEffort effort);

struct ProbedProfile {
  MachineProfile profile;
  std::string
      warning;  // one line for a person if something kept it from being read or kept, or empty
};

// The profile kept for this machine (machine/profile_store.h); else what MeasureMachine finds with
// that effort, which is then kept if it is complete; else the default. Never fails. Takes as long
// as MeasureMachine in the first run and under a millisecond later.
ProbedProfile ReadOrMeasureProfile(const Topology& topology, ProbeEffort effort,
                                   std::string_view version);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_PROBE_H_
