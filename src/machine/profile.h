// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_PROFILE_H_
#define BITFETCH_MACHINE_PROFILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "machine/topology.h"

namespace bitfetch {

// How a profile's numbers came about: assumed, measured within 150 ms, or by `bitfetch tune`.
enum class ProfileSource { kDefault, kQuick, kTune };

std::string_view ProfileSourceName(ProfileSource source);  // "default", "quick", "tune"

// A streaming read of memory that no cache holds.
struct ReadSpeed {
  int threads = 1;
  int width_bytes = 16;    // of a load
  int streams = 0;         // walked in turn and prefetched; 0: plain loads
  double bytes_per_s = 0;  // of all threads together
};

// What walking and prefetching `streams` tiles in turn gains for a reader as busy as attention:
// its speed over the same reader's without prefetch, one tile after another.
struct StreamGain {
  int streams = 1;
  double contiguous = 1;  // tiles one after another
  double paged = 1;       // 8 KiB tiles in shuffled places
};

// What this machine can do: all that the prefetch law knows of it. A default-made profile holds
// cautious assumptions that fit no particular machine.
struct MachineProfile {
  std::string cpu = "unknown CPU";
  int cores = 1;
  int64_t l1d_bytes = 32 << 10;
  int64_t l2_bytes = 512 << 10;
  int64_t l3_bytes = 8 << 20;  // 0: there is none

  ProfileSource source = ProfileSource::kDefault;
  bool huge_pages = false;         // whether the system gave 2 MiB pages when asked
  double latency_ns = 100;         // of a load that misses every cache, on huge pages
  double latency_4k_ns = 130;      // the same on 4 KiB pages
  double loaded_latency_ns = 150;  // while the other cores stream
  double jitter_ns = 50;           // by how much nine in ten loaded ones stay below
  double misses_in_flight = 16;    // of one core
  std::vector<ReadSpeed> reads = {{1, 16, 0, 10e9}, {2, 16, 0, 15e9}};  // never empty
  std::vector<StreamGain> gains = {{1, 1.1, 1.2}, {4, 1.2, 1.4}};       // never empty

  bool measured() const { return source != ProfileSource::kDefault; }
};

// The default profile with this machine's fixed facts.
MachineProfile DefaultProfile(const Topology& topology);

// Takes the fixed facts from `topology` and keeps what was measured.
void SetFacts(MachineProfile& profile, const Topology& topology);

// Fails, naming the field, if a number is none or beyond what any machine could show.
Status CheckProfile(const MachineProfile& profile);

// The nearest profile that CheckProfile accepts; what is no number or missing becomes the default.
MachineProfile ClampProfile(const MachineProfile& profile);

// The best of the streaming reads with that many threads, in bytes per second for all of them; on a
// straight line between numbers of threads that were measured, and constant beyond the last.
double ReadBytesPerSecond(const MachineProfile& profile, int threads);

// `version` is that of the program: another one may measure otherwise.
std::string ProfileToJson(const MachineProfile& profile, std::string_view version);

// Fails on anything but what ProfileToJson writes: unknown or missing fields, wrong types, numbers
// that CheckProfile refuses.
struct StoredProfile {
  MachineProfile profile;
  std::string version;
};
Result<StoredProfile> ProfileFromJson(std::string_view text);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_PROFILE_H_
