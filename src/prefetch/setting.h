// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_SETTING_H_
#define BITFETCH_PREFETCH_SETTING_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "prefetch/law.h"

namespace bitfetch {

// What `--prefetch auto|off|BYTES` asks for.
struct PrefetchSetting {
  static constexpr int64_t kMaxBytes = 1 << 20;
  enum class Mode { kAuto, kOff, kBytes };

  Mode mode = Mode::kAuto;
  int64_t bytes = 0;       // for kBytes: 1..kMaxBytes
  bool named_law = false;  // for kAuto: given by its other word

  bool operator==(const PrefetchSetting&) const = default;
};

// "auto" (or "law", which is the same), "off", or a plain decimal number of bytes. Fails for
// anything else, and quotes it.
Result<PrefetchSetting> ParsePrefetchSetting(std::string_view text);

// The word that was given.
std::string PrefetchSettingText(const PrefetchSetting& setting);

// The law's plan, or none, or that distance with the law's streams and hint: at least a line in
// each, so fewer streams where the distance is short. A distance is rounded up to whole lines in
// each stream.
PrefetchPlan ResolvePrefetch(const PrefetchSetting& setting, const MachineProfile& profile,
                             const PrefetchAccess& access);

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_SETTING_H_
