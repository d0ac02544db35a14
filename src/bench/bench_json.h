// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_BENCH_JSON_H_
#define BITFETCH_BENCH_BENCH_JSON_H_

#include <nlohmann/json.hpp>

namespace bitfetch {

using BenchJson = nlohmann::ordered_json;  // a row of a benchmark, or a list of them

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_BENCH_JSON_H_
