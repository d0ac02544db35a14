// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_PROFILE_H_
#define BITFETCH_MACHINE_PROFILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "machine/speedup.h"
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

// Where a prefetch brings its line.
enum class PrefetchHint { kL1, kL2 };

std::string_view PrefetchHintName(PrefetchHint hint);  // "l1", "l2"

// What prefetching gains a kernel: its speed over its own without prefetch. Between min and max
// lies, for the fastest of those that were compared, that; for another one, how it compares with
// the fastest: it may be faster than that where its max is above the fastest one's times.
struct PrefetchGain {
  PageSize pages = PageSize::kHuge;
  int threads = 1;
  PrefetchHint hint = PrefetchHint::kL2;
  int streams = 1;          // tiles walked in turn
  Speedup contiguous = {};  // blocks one after another
  Speedup paged = {};       // blocks in shuffled places
};

// What a kernel reads: keys and values, or weights.
enum class KernelData { kKv, kWeights };

std::string_view KernelDataName(KernelData data);  // "kv", "weights"

// A kernel that was measured.
struct KernelSpeed {
  std::string name;                 // "avx2 f16"
  double value_bits = 16;           // of a value that it reads, with what scales add
  double hot_bytes_per_s = 0;       // of one thread, on data that its L2 holds
  std::vector<PrefetchGain> gains;  // never empty; of weights, which have no blocks, paged is alike
  KernelData data = KernelData::kKv;
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
  bool huge_pages = false;            // whether the system gave 2 MiB pages when asked
  double latency_ns = 100;            // of a load that misses every cache, on huge pages
  double latency_4k_ns = 130;         // the same on 4 KiB pages
  double loaded_latency_ns = 150;     // on huge pages, while the other cores stream
  double loaded_latency_4k_ns = 200;  // the same on 4 KiB pages
  double jitter_ns = 50;              // that nine in ten loaded ones come later at most
  double misses_in_flight = 16;       // of one core, out of L1; shown, not asked by the law
  std::vector<ReadSpeed> reads = {{1, 16, 0, 10e9}, {2, 16, 0, 15e9}};  // never empty
  std::vector<KernelSpeed> kernels = {
      {"", 16, 12e9, {{.streams = 4, .contiguous = {1.2}, .paged = {1.4}}}}};  // never empty

  bool measured() const { return source != ProfileSource::kDefault; }
};

// The default profile with this machine's fixed facts.
MachineProfile DefaultProfile(const Topology& topology);

// Takes the facts that `topology` knows, and keeps what was measured.
void SetFacts(MachineProfile& profile, const Topology& topology);

// Fails, naming the field, if a number is none or beyond what any machine could show.
Status CheckProfile(const MachineProfile& profile);

// The nearest profile that CheckProfile accepts; what is no number or missing becomes the default.
MachineProfile ClampProfile(const MachineProfile& profile);

// The best of the streaming reads with that many threads, in bytes per second for all of them; on a
// straight line between numbers of threads that were measured, and constant beyond the last.
double ReadBytesPerSecond(const MachineProfile& profile, int threads);

// The kernel of that name, or null.
const KernelSpeed* FindKernel(const MachineProfile& profile, std::string_view name);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_PROFILE_H_
