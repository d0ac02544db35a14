// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_REPORT_HTML_H_
#define BITFETCH_BENCH_REPORT_HTML_H_

#include <string>

#include "bench/bench_json.h"

namespace bitfetch {

// The report as one HTML file that needs nothing else: of the rows of `bench attention`,
// `distance`, `misses`, `decode --profile`, `batch` and `cache`, and one row "machine" with its
// facts. A part whose rows are missing is left out.
std::string ReportHtml(const BenchJson& rows);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_REPORT_HTML_H_
