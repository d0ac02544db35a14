// SPDX-License-Identifier: Apache-2.0
#include "bench/report_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

namespace bitfetch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// What the named attribute is in each element whose tag begins like that.
std::vector<double> Attributes(const std::string& svg, const std::string& begin,
                               const std::string& name) {
  std::vector<double> values;
  const std::regex pattern("<" + begin + "[^>]* " + name + "=\"([-0-9.]+)\"");
  for (std::sregex_iterator it(svg.begin(), svg.end(), pattern), end; it != end; ++it) {
    values.push_back(std::stod((*it)[1]));
  }
  return values;
}

TEST(ReportChart, BarsAreAsLongAsTheirFigures) {
  const std::string svg = BarChart({{"a < b", {{0.2, 0.1, 0.3}, {0.4, 0.4, 0.4}}}}, 1, "share");
  const auto widths = Attributes(svg, "rect class=\"s", "width");
  ASSERT_EQ(widths.size(), 2u);
  EXPECT_NEAR(widths[1] / widths[0], 2, 0.01);
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_THAT(svg, HasSubstr(">0.40<"));
}

TEST(ReportChart, BarsBeyondTheEndStopThere) {
  const std::string svg = BarChart({{"a", {{5, 5, 5}, {1, 1, 1}}}}, 1, "share");
  const auto widths = Attributes(svg, "rect class=\"s", "width");
  ASSERT_EQ(widths.size(), 2u);
  EXPECT_EQ(widths[0], widths[1]);
}

TEST(ReportChart, LinesStandOnAScaleOfPowersOfTwo) {
  const auto point = [](double x, double y) { return ChartPoint{x, {y, y, y}}; };
  const std::string svg = LineChart(
      {"x", "y", 1}, {{1, {point(0, 0), point(1024, 0.5), point(2048, 1), point(4096, 1)}}},
      ChartMark{point(4096, 1), "here"});
  const auto x = Attributes(svg, "circle class=\"s1", "cx");
  const auto y = Attributes(svg, "circle class=\"s1", "cy");
  ASSERT_EQ(x.size(), 4u);
  EXPECT_NEAR(x[1] - x[0], x[2] - x[1], 0.2);  // 0 is a step before the least
  EXPECT_NEAR(x[3] - x[2], x[2] - x[1], 0.2);
  EXPECT_NEAR(y[0] - y[1], y[1] - y[2], 0.2);
  EXPECT_EQ(y[2], y[3]);
  EXPECT_THAT(Attributes(svg, "circle class=\"mark", "cx"), ElementsAre(x[3]));
  EXPECT_THAT(svg, HasSubstr(">here<"));
  EXPECT_THAT(svg, HasSubstr(">4 K<"));
}

TEST(ReportChart, AMarkBeyondTheLinesIsInThePicture) {
  const auto point = [](double x) { return ChartPoint{x, {1, 1, 1}}; };
  const std::string svg =
      LineChart({"x", "y", 1}, {{1, {point(64), point(128)}}}, ChartMark{point(512), "here"});
  const auto x = Attributes(svg, "circle class=\"s1", "cx");
  const auto mark = Attributes(svg, "circle class=\"mark", "cx");
  ASSERT_EQ(x.size(), 2u);
  ASSERT_EQ(mark.size(), 1u);
  EXPECT_NEAR(mark[0] - x[1], 2 * (x[1] - x[0]), 0.2);
  EXPECT_LT(mark[0], 430);
}

TEST(ReportChart, LinesMayStandOnPowersOfTen) {
  const auto point = [](double x, double y) { return ChartPoint{x, {y, y, y}}; };
  const std::string svg =
      LineChart({"x", "y", 5000, 10},
                {{1, {point(1, 5), point(2, 10), point(4, 100), point(8, 1000), point(16, 5000)}}});
  const auto y = Attributes(svg, "circle class=\"s1", "cy");
  ASSERT_EQ(y.size(), 5u);
  EXPECT_EQ(y[0], y[1]) << "below the scale";
  EXPECT_NEAR(y[1] - y[2], y[2] - y[3], 0.2);
  EXPECT_NEAR(y[3] - y[4], (y[1] - y[2]) * std::log10(5), 0.2);
  EXPECT_EQ(Attributes(svg, "line class=\"grid", "y1").size(), 3u);
  EXPECT_THAT(svg, HasSubstr(">1000<"));
}

TEST(ReportChart, LinesWithoutPointsAreNothing) { EXPECT_EQ(LineChart({"x", "y", 1}, {}), ""); }

TEST(ReportChart, ColumnsAreLogarithmic) {
  const std::string svg = ShareColumns({{"0", {0.01, 1}}, {"10", {0.0, 0.1}}}, "ns");
  const auto heights = Attributes(svg, "rect class=\"s", "height");
  ASSERT_EQ(heights.size(), 4u);
  EXPECT_NEAR(heights[1], 2 * heights[0], 0.2);  // four powers of ten above 0.01 %, and two
  EXPECT_EQ(heights[2], 0);
  EXPECT_NEAR(heights[3], 1.5 * heights[0], 0.2);
}

TEST(ReportChart, StackedPartsFollowEachOther) {
  const std::string svg = StackChart({{"0", {1, 2}}, {"8", {2, 4}}}, "ms");
  const auto x = Attributes(svg, "rect class=\"s", "x");
  const auto widths = Attributes(svg, "rect class=\"s", "width");
  ASSERT_EQ(x.size(), 4u);
  EXPECT_NEAR(x[1], x[0] + widths[0], 0.11);
  EXPECT_NEAR(x[3], x[2] + widths[2], 0.11);
  EXPECT_NEAR(widths[3], 2 * widths[1], 0.2);
  EXPECT_EQ(StackChart({{"0", {0, 0}}}, "ms"), "");
}

TEST(ReportChart, LegendsEscapeNames) {
  EXPECT_THAT(ChartLegend({"<b>"}), HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(ChartLegend({"<b>"}), Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace bitfetch
