// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_BENCH_JSON_H_
#define BITFETCH_BENCH_BENCH_JSON_H_

#include <nlohmann/json.hpp>
#include <string_view>

namespace bitfetch {

using BenchJson = nlohmann::ordered_json;  // a row of a benchmark, or a list of them

// What people read in place of the fields `fraction`, `fewer`, `over_off`, and so on.
inline constexpr std::string_view kFractionTitle = "share of peak read bandwidth";
inline constexpr std::string_view kFewerTitle = "times fewer than off";
inline constexpr std::string_view kOverOffTitle = "speedup vs off";
inline constexpr std::string_view kOverFirstTitle = "speedup vs first row";
inline constexpr std::string_view kOverNoneTitle = "speedup vs computing";
inline constexpr std::string_view kOverOneTitle = "speedup vs one";
inline constexpr std::string_view kOfBoundTitle = "share of bound";
inline constexpr std::string_view kOverOwnTitle = "speedup vs unshared";

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_BENCH_JSON_H_
