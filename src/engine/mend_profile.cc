// SPDX-License-Identifier: Apache-2.0
#include "engine/mend_profile.h"

#include "machine/profile_store.h"
#include "machine/topology.h"

namespace bitfetch {

void MendKeptProfile(const PlanWatch& watch, std::string_view kernel) {
  const std::string path = ProfilePath();
  LoadedProfile kept = LoadProfile(path, ReadTopology(), BITFETCH_VERSION);
  if (!kept.profile || FindKernel(*kept.profile, kernel) == nullptr) return;
  watch.Mend(*kept.profile);
  static_cast<void>(SaveProfile(path, *kept.profile, BITFETCH_VERSION));
}

}  // namespace bitfetch
