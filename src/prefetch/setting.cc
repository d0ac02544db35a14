// SPDX-License-Identifier: Apache-2.0
#include "prefetch/setting.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <system_error>

#include "machine/topology.h"
#include "prefetch/streams.h"

namespace bitfetch {

Result<PrefetchSetting> ParsePrefetchSetting(std::string_view text) {
  using Mode = PrefetchSetting::Mode;
  if (text == "auto") return PrefetchSetting{};
  if (text == "law") return PrefetchSetting{.named_law = true};
  if (text == "off") return PrefetchSetting{Mode::kOff};
  PrefetchSetting setting{Mode::kBytes};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, setting.bytes);
  // A leading zero would not come back as it was given.
  const bool plain = !text.empty() && text[0] >= '1' && text[0] <= '9' && stop == end;
  if (!plain || error != std::errc() || setting.bytes > PrefetchSetting::kMaxBytes) {
    return Fail("'{}' is no prefetch setting: wanted auto, off, or a distance from 1 to {} bytes",
                text, PrefetchSetting::kMaxBytes);
  }
  return setting;
}

std::string PrefetchSettingText(const PrefetchSetting& setting) {
  switch (setting.mode) {
    case PrefetchSetting::Mode::kAuto:
      return setting.named_law ? "law" : "auto";
    case PrefetchSetting::Mode::kOff:
      return "off";
    case PrefetchSetting::Mode::kBytes:
      break;
  }
  return fmt::format("{}", setting.bytes);
}

PrefetchPlan ResolvePrefetch(const PrefetchSetting& setting, const MachineProfile& profile,
                             const PrefetchAccess& access) {
  if (setting.mode == PrefetchSetting::Mode::kOff) return {};
  if (setting.mode == PrefetchSetting::Mode::kAuto) return ChoosePrefetch(profile, access);
  const int64_t lines = (std::max<int64_t>(setting.bytes, 1) + kLineBytes - 1) / kLineBytes;
  const MachineProfile sane = ClampProfile(profile);
  const Streams best = ChooseStreams(NearestKernel(sane, access), access);
  int64_t streams = best.streams;
  if (streams > lines) streams = static_cast<int64_t>(std::bit_floor<uint64_t>(lines));
  const int64_t each = (lines + streams - 1) / streams;
  return {.on = true,
          .distance_bytes = each * streams * kLineBytes,
          .streams = static_cast<int>(streams),
          .hint = best.hint};
}

}  // namespace bitfetch
