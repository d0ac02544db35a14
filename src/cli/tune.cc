// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/profile_text.h"
#include "cli/progress_line.h"
#include "engine/engine_probe.h"
#include "machine/probe.h"
#include "machine/profile_store.h"

namespace bitfetch {
namespace {

Result<int> RunTune() {
  const Topology topology = ReadTopology();
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  ProgressLine line(std::chrono::milliseconds(0));
  line.Show("measuring this machine, for some 3 seconds");
  Result<Measurement> measured =
      MeasureMachine(topology, ProbeEffort::kTune, EngineProbe(*kernels, ProbeEffort::kTune));
  line.Clear();
  if (!measured) return tl::unexpected(measured.error());
  if (!measured->complete) {
    Warn(
        "time ran out, or cores were taken away, before everything was measured: assumptions stand "
        "for the rest. Run it again when the machine is idle");
  }

  std::string text = ProfileText(measured->profile);
  const std::string path = ProfilePath();
  if (path.empty()) {
    Warn("the profile is kept nowhere: neither XDG_CACHE_HOME nor HOME names a folder");
  } else if (const Status saved = SaveProfile(path, measured->profile, BITFETCH_VERSION); !saved) {
    Warn("the profile is not kept: {}", saved.error().message);
  } else {
    text += fmt::format("{:<26}{}\n", "kept in", path);
  }
  return Printed(text);
}

}  // namespace

void AddTune(Command& program) {
  Command& command = program.Add(
      "tune",
      {.usage = "",
       .summary = "measure this machine, so that prefetching suits it",
       .more =
           R"(Measures latency and speed of the memory and what prefetching gains, which is what --prefetch auto
goes by. Takes 3 seconds, or up to 8 until it is sure, or more where the system is slow to give
memory; meanwhile the machine should be idle. The result is kept for this user (in
$XDG_CACHE_HOME/bitfetch, or in ~/.cache).
Without it, the first run of a model measures in passing, more roughly.

example:
  bitfetch tune)"});
  command.SetRun(RunTune);
}

}  // namespace bitfetch
