// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_PROFILE_STORE_H_
#define BITFETCH_MACHINE_PROFILE_STORE_H_

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "machine/profile.h"
#include "machine/topology.h"

namespace bitfetch {

// Where profiles are kept: $XDG_CACHE_HOME/bitfetch/profile.json, or under $HOME/.cache (XDG Base
// Directory Specification). Empty if neither variable holds an absolute path.
std::string ProfilePath();

struct LoadedProfile {
  std::optional<MachineProfile> profile;  // nothing: none is kept for this machine and version
  std::string warning;                    // one line for a person if it is damaged, or empty
};

// A profile of another CPU, of caches of other sizes, of another version or format, or of fewer
// threads than may run now, counts as none.
LoadedProfile LoadProfile(const std::string& path, const Topology& topology,
                          std::string_view version);

// Makes the folder where needed. Whoever reads meanwhile sees the old file or the new one.
Status SaveProfile(const std::string& path, const MachineProfile& profile,
                   std::string_view version);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_PROFILE_STORE_H_
