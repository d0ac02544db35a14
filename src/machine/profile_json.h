// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_PROFILE_JSON_H_
#define BITFETCH_MACHINE_PROFILE_JSON_H_

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "machine/profile.h"

namespace bitfetch {

// How a profile is kept. `version` is that of the program: another one may measure otherwise.
std::string ProfileToJson(const MachineProfile& profile, std::string_view version);

// Nothing, if another version or format wrote it. Fails on anything but what ProfileToJson writes:
// unknown or missing fields, wrong types, numbers that CheckProfile refuses.
Result<std::optional<MachineProfile>> ProfileFromJson(std::string_view text,
                                                      std::string_view version);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_PROFILE_JSON_H_
