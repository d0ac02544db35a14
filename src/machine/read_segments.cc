// SPDX-License-Identifier: Apache-2.0
#include "machine/read_segments.h"

#include <algorithm>
#include <iterator>
#include <numeric>

// Not among the ISAs of this project.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/read_segments.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kLine = 64;
constexpr size_t kSegmentLines = kReadSegmentBytes / kLine;

// Two sums, so that no addition waits for the one before.
template <class D>
HWY_INLINE void ReadLine(D d, const std::byte* line, hn::Vec<D>& even, hn::Vec<D>& odd) {
  const auto* lanes = reinterpret_cast<const uint64_t*>(line);
  constexpr size_t kLanes = hn::MaxLanes(D());
  for (size_t i = 0; i < kLine / 8; i += 2 * kLanes) {
    even = hn::Add(even, hn::Load(d, lanes + i));
    if (i + kLanes < kLine / 8) odd = hn::Add(odd, hn::Load(d, lanes + i + kLanes));
  }
}

// `kStreams` segments in turn; 0 is one of them without prefetch.
template <size_t kStreams, class D>
uint64_t Read(D d, const std::byte* base, std::span<const uint32_t> order, size_t distance_bytes) {
  constexpr size_t kWalked = std::max<size_t>(kStreams, 1);
  // No farther than the next ones: beyond it this would not know where to look.
  const size_t ahead = std::clamp<size_t>(distance_bytes / (kLine * kWalked), 1, kSegmentLines);
  auto even = hn::Zero(d);
  auto odd = hn::Zero(d);
  for (size_t first = 0; first + kWalked <= order.size(); first += kWalked) {
    const std::byte* now[kWalked];
    const std::byte* next[kWalked];
    for (size_t s = 0; s < kWalked; ++s) {
      const size_t then = std::min(first + kWalked + s, order.size() - 1);
      now[s] = base + order[first + s] * kReadSegmentBytes;
      next[s] = base + order[then] * kReadSegmentBytes;
    }
    for (size_t line = 0; line < kSegmentLines; ++line) {
      for (size_t s = 0; s < kWalked; ++s) {
        if constexpr (kStreams > 0) {
          const size_t wanted = line + ahead;
          __builtin_prefetch(wanted < kSegmentLines ? now[s] + wanted * kLine
                                                    : next[s] + (wanted - kSegmentLines) * kLine);
        }
        ReadLine(d, now[s] + line * kLine, even, odd);
      }
    }
  }
  // Not SumOfLanes: GCC's reduction for AVX-512 adds as signed integers, which may not overflow.
  uint64_t lanes[hn::MaxLanes(D())];
  hn::StoreU(hn::Add(even, odd), d, lanes);
  return std::accumulate(std::begin(lanes), std::end(lanes), uint64_t{0});
}

template <class D>
uint64_t ReadStreams(D d, const std::byte* base, std::span<const uint32_t> order,
                     const ReadStyle& style) {
  const size_t distance = style.distance_bytes;
  switch (style.streams) {
    case 0:
      return Read<0>(d, base, order, distance);
    case 1:
      return Read<1>(d, base, order, distance);
    case 2:
      return Read<2>(d, base, order, distance);
    case 4:
      return Read<4>(d, base, order, distance);
    default:
      return Read<8>(d, base, order, distance);
  }
}

uint64_t ReadSegmentsHere(const std::byte* base, std::span<const uint32_t> order,
                          const ReadStyle& style) {
  const hn::CappedTag<uint64_t, 8> widest;
  // Not a switch: where no vector is wider than 32 bytes, two of its cases would be the same.
  if (style.width_bytes == 64) return ReadStreams(widest, base, order, style);
  if (style.width_bytes == 32) {
    return ReadStreams(hn::CappedTag<uint64_t, 4>(), base, order, style);
  }
  return ReadStreams(hn::CappedTag<uint64_t, 2>(), base, order, style);
}

int MaxWidth() { return static_cast<int>(hn::Lanes(hn::CappedTag<uint64_t, 8>())) * 8; }

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bitfetch {

HWY_EXPORT(ReadSegmentsHere);
HWY_EXPORT(MaxWidth);

std::vector<int> ReadWidths() {
  std::vector<int> widths = {16};
  for (int width = 32; width <= HWY_DYNAMIC_DISPATCH(MaxWidth)(); width *= 2) {
    widths.push_back(width);
  }
  return widths;
}

uint64_t ReadSegments(const std::byte* base, std::span<const uint32_t> order,
                      const ReadStyle& style) {
  return HWY_DYNAMIC_DISPATCH(ReadSegmentsHere)(base, order.first(order.size() / 16 * 16), style);
}

}  // namespace bitfetch
#endif  // HWY_ONCE
