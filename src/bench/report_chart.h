// SPDX-License-Identifier: Apache-2.0
// Charts for the report, as inline SVG that takes its colours from the file: classes s0, s1, ...
// are the series. Drawn for a width that a phone shows without shrinking the letters.
#ifndef BITFETCH_BENCH_REPORT_CHART_H_
#define BITFETCH_BENCH_REPORT_CHART_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/spread.h"

namespace bitfetch {

// Text as it may stand in HTML and SVG.
std::string EscapeHtml(std::string_view text);

// Names and colours of series, for above a chart.
std::string ChartLegend(const std::vector<std::string>& series);

// Lying bars from 0 to `end`, one for each series of each set, with the figure beside them.
struct BarSet {
  std::string label;
  std::vector<Spread> bars;  // [series]
};
std::string BarChart(const std::vector<BarSet>& sets, double end, std::string_view axis);

// Lines over x on a scale of powers of two, with the range of each point; 0 is drawn half a step
// before the smallest of the others.
struct ChartPoint {
  double x;
  Spread y;
};
struct ChartLine {
  int series;
  std::vector<ChartPoint> points;  // ascending
};
struct ChartMark {
  ChartPoint at;
  std::string label;
};
struct LineChartAxes {
  std::string x;
  std::string y;
  double end;        // of y
  double begin = 0;  // above 0: a power of ten, where y begins on a logarithmic scale
};
std::string LineChart(const LineChartAxes& axes, const std::vector<ChartLine>& lines,
                      const std::optional<ChartMark>& mark = {});

// Standing columns of shares on a logarithmic scale from 0.01 % to 100 %, side by side in each bin.
struct ColumnBin {
  std::string label;
  std::vector<double> shares;  // [series]
};
std::string ShareColumns(const std::vector<ColumnBin>& bins, std::string_view axis);

// Lying bars that add up: one for each row, in parts of the series.
struct StackRow {
  std::string label;
  std::vector<double> parts;  // [series]
};
std::string StackChart(const std::vector<StackRow>& rows, std::string_view axis);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_REPORT_CHART_H_
