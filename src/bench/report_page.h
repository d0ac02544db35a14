// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_REPORT_PAGE_H_
#define BITFETCH_BENCH_REPORT_PAGE_H_

#include <string>

#include "bench/bench_json.h"

namespace bitfetch {

// The report as one HTML page that needs nothing else: of the rows of `bench attention`,
// `distance`, `misses` and `decode --profile`, and one row "machine" with its facts. A part whose
// rows are missing is left out.
std::string ReportPage(const BenchJson& rows);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_REPORT_PAGE_H_
