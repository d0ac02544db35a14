// SPDX-License-Identifier: Apache-2.0
#include "prefetch/breadth.h"

#include <algorithm>

#include "machine/read_tiles.h"

namespace bitfetch {

Breadth ChooseBreadth(const MachineProfile& profile, const PrefetchAccess& access) {
  // Of the tiles that the profile was measured with, the part that begins with a jump.
  const int64_t run = std::max<int64_t>({access.run_bytes, access.tile_bytes, 1});
  const double jumps =
      std::min(static_cast<double>(kReadTileBytes) / static_cast<double>(run), 1.0);

  std::vector<Breadth> breadths;
  for (const StreamGain& gain : profile.gains) {
    breadths.push_back({gain.streams, jumps * gain.paged + (1 - jumps) * gain.contiguous});
  }
  const auto fewer = [](const Breadth& a, const Breadth& b) { return a.streams < b.streams; };
  std::sort(breadths.begin(), breadths.end(), fewer);

  const int most = std::max(access.max_streams, 1);
  // Nothing so narrow was measured: the narrowest says most about it.
  Breadth best = {std::min(breadths[0].streams, most), breadths[0].gain};
  for (const Breadth& breadth : breadths) {
    constexpr double kNoise = 1.02;  // for less, more streams aren't worth their bookkeeping
    if (breadth.streams <= most && breadth.gain > best.gain * kNoise) best = breadth;
  }
  return best;
}

}  // namespace bitfetch
