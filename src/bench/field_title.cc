// SPDX-License-Identifier: Apache-2.0
#include "bench/field_title.h"

#include <algorithm>
#include <iterator>

#include "bench/bench_json.h"

namespace bitfetch {
namespace {

struct TitledField {
  std::string_view name;
  std::string_view title;
};

// Whose own words do not say enough.
constexpr TitledField kTitledFields[] = {
    {"bytes_per_token", "bytes a token"},
    {"cpu", "CPU"},
    {"distance_bytes", "bytes ahead"},
    {"dram_share", "share that waited for DRAM"},
    {"dtlb_read_misses_per_byte", "TLB misses a byte of KV"},
    {"fewer", kFewerTitle},
    {"fraction", kFractionTitle},
    {"gb_per_s", "GB/s"},
    {"hint", "into"},
    {"isa", "ISA"},
    {"kv_type", "KV type"},
    {"l1d_bytes", "L1 data cache, bytes"},
    {"l1d_read_misses_per_byte", "L1 misses a byte of KV"},
    {"l2_bytes", "L2, bytes"},
    {"l3_bytes", "L3, bytes"},
    {"late_share", "share that waited or stood behind one that did"},
    {"latency_ns", "latency, ns"},
    {"llc_read_misses_per_byte", "misses of the last cache a byte of KV"},
    {"loaded_latency_ns", "latency under load, ns"},
    {"n_kv", "tokens in the cache"},
    {"of_bound", kOfBoundTitle},
    {"over_first", kOverFirstTitle},
    {"over_none", kOverNoneTitle},
    {"over_off", kOverOffTitle},
    {"over_one", kOverOneTitle},
    {"ratio", "speed over the best"},
    {"read_gb_per_s", "peak read bandwidth, GB/s"},
    {"sampling_cost", "cost of sampling, share of the time"},
    {"share", "share of the time"},
    {"stalled_cycles_per_byte", "stalled cycles a byte of KV"},
    {"step_ms", "ms a step"},
    {"tokens_per_s", "tokens/s"},
    {"touches", "first loads timed"},
    {"ttft_ms", "ms to the first token"},
    {"us_per_token", "microseconds a token"},
};

}  // namespace

std::string FieldTitle(std::string_view field) {
  const auto* titled = std::ranges::find(kTitledFields, field, &TitledField::name);
  if (titled != std::end(kTitledFields)) return std::string(titled->title);
  std::string words(field);
  std::ranges::replace(words, '_', ' ');
  return words;
}

}  // namespace bitfetch
