// SPDX-License-Identifier: Apache-2.0
#include "bench/report_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

namespace bitfetch {
namespace {

constexpr double kWidth = 430;
constexpr double kRowHeight = 15;

// What is drawn so far.
class Svg {
 public:
  template <class... Args>
  void Add(fmt::format_string<Args...> format, Args&&... args) {
    body_ += fmt::format(format, std::forward<Args>(args)...);
    body_ += '\n';
  }
  void Line(std::string_view css, double x1, double y1, double x2, double y2) {
    Add(R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)", css, x1, y1, x2,
        y2);
  }
  void Rect(std::string_view css, double x, double y, double width, double height) {
    Add(R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)", css, x, y,
        std::max(width, 0.0), std::max(height, 0.0));
  }
  // anchor: start, middle or end.
  void Text(std::string_view anchor, double x, double y, std::string_view text) {
    Add(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", x, y, anchor,
        EscapeHtml(text));
  }
  std::string Done(double height, std::string_view label) const {
    return fmt::format(
        "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n", kWidth,
        height, EscapeHtml(label), body_);
  }

 private:
  std::string body_;
};

// A round step that makes four to eight of them up to `end`.
double RoundStep(double end) {
  const double power = std::pow(10, std::floor(std::log10(end / 4)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (end / (power * factor) <= 8) return power * factor;
  }
  return power * 10;
}

std::string TickText(double value) { return fmt::format("{:g}", std::round(value * 1e6) * 1e-6); }

// "32 K" for powers of two that are large.
std::string PowerText(double value) {
  return value >= 1024 ? fmt::format("{:g} K", value / 1024) : fmt::format("{:g}", value);
}

// A scale below lying bars.
void LyingAxis(Svg& svg, double left, double width, double bottom, double end,
               std::string_view axis) {
  const double step = RoundStep(end);
  for (double tick = 0; tick <= end * 1.0001; tick += step) {
    const double x = left + tick / end * width;
    svg.Line("grid", x, 2, x, bottom);
    svg.Text("middle", x, bottom + 14, TickText(tick));
  }
  svg.Text("middle", left + width / 2, bottom + 30, axis);
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string ChartLegend(const std::vector<std::string>& series) {
  std::string text = "<p class=\"legend\">";
  for (size_t i = 0; i < series.size(); ++i) {
    text += fmt::format("<span><i class=\"s{}\"></i>{}</span> ", i, EscapeHtml(series[i]));
  }
  return text + "</p>\n";
}

std::string BarChart(const std::vector<BarSet>& sets, double end, std::string_view axis) {
  constexpr double kLeft = 150;
  constexpr double kBars = kWidth - kLeft - 38;
  Svg svg;
  double rows = 0;
  for (const BarSet& set : sets) rows += static_cast<double>(set.bars.size()) + 0.6;
  const double bottom = rows * kRowHeight + 4;
  LyingAxis(svg, kLeft, kBars, bottom, end, axis);
  double y = 4;
  for (const BarSet& set : sets) {
    const double height = static_cast<double>(set.bars.size()) * kRowHeight;
    svg.Text("end", kLeft - 6, y + height / 2 + 4, set.label);
    for (size_t i = 0; i < set.bars.size(); ++i) {
      const Spread& bar = set.bars[i];
      const auto x = [&](double value) { return kLeft + std::min(value / end, 1.0) * kBars; };
      svg.Rect(fmt::format("s{}", i), kLeft, y + 1, x(bar.median) - kLeft, kRowHeight - 2);
      svg.Line("range", x(bar.min), y + kRowHeight / 2, x(bar.max), y + kRowHeight / 2);
      svg.Text("start", std::max(x(bar.median), x(bar.max)) + 4, y + kRowHeight - 3.5,
               fmt::format("{:.2f}", bar.median));
      y += kRowHeight;
    }
    y += 0.6 * kRowHeight;
  }
  return svg.Done(bottom + 36, axis);
}

std::string LineChart(const LineChartAxes& axes, const std::vector<ChartLine>& lines,
                      const std::optional<ChartMark>& mark) {
  constexpr double kLeft = 40;
  constexpr double kRight = kWidth - 14;
  constexpr double kTop = 20;
  constexpr double kBottom = 220;
  double min = std::numeric_limits<double>::infinity();
  double max = 0;
  std::vector<double> xs;
  const auto include = [&](double x) {
    if (x > 0) min = std::min(min, x);
    max = std::max(max, x);
  };
  for (const ChartLine& line : lines) {
    for (const ChartPoint& point : line.points) {
      xs.push_back(point.x);
      include(point.x);
    }
  }
  if (mark) include(mark->at.x);
  std::ranges::sort(xs);
  xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
  if (xs.empty() || max == 0) return {};
  const bool has_zero = xs.front() == 0;
  const double low = std::log2(min) - (has_zero ? 1 : 0);
  const double span = std::max(std::log2(max) - low, 1.0);
  const auto x_of = [&](double x) {
    return kLeft + (x > 0 ? (std::log2(x) - low) / span : 0) * (kRight - kLeft);
  };
  const bool is_log = axes.begin > 0;
  const auto y_of = [&](double y) {
    const double part =
        is_log ? std::max(std::log(y / axes.begin), 0.0) / std::log(axes.end / axes.begin)
               : y / axes.end;
    return kBottom - std::min(part, 1.05) * (kBottom - kTop);
  };

  Svg svg;
  svg.Text("start", 2, 11, axes.y);
  const double step = RoundStep(axes.end);
  for (double tick = axes.begin; tick <= axes.end * 1.0001;
       tick = is_log ? tick * 10 : tick + step) {
    svg.Line("grid", kLeft, y_of(tick), kRight, y_of(tick));
    svg.Text("end", kLeft - 5, y_of(tick) + 4, TickText(tick));
  }
  double labelled = -100;
  for (const double x : xs) {
    if (x_of(x) < labelled + 40) continue;
    labelled = x_of(x);
    svg.Text("middle", labelled, kBottom + 15, PowerText(x));
  }
  svg.Text("middle", (kLeft + kRight) / 2, kBottom + 31, axes.x);
  for (const ChartLine& line : lines) {
    std::string points;
    for (const ChartPoint& point : line.points) {
      points += fmt::format("{:.1f},{:.1f} ", x_of(point.x), y_of(point.y.median));
      svg.Line(fmt::format("l{} range", line.series), x_of(point.x), y_of(point.y.min),
               x_of(point.x), y_of(point.y.max));
    }
    svg.Add(R"(<polyline class="l{}" points="{}"/>)", line.series, points);
    if (line.points.size() > 6) continue;
    for (const ChartPoint& point : line.points) {
      svg.Add(R"(<circle class="s{}" cx="{:.1f}" cy="{:.1f}" r="3"/>)", line.series, x_of(point.x),
              y_of(point.y.median));
    }
  }
  if (mark) {
    const double x = x_of(mark->at.x);
    const double y = y_of(mark->at.y.median);
    svg.Add(R"(<circle class="mark" cx="{:.1f}" cy="{:.1f}" r="6"/>)", x, y);
    svg.Text(x > kWidth / 2 ? "end" : "start", x > kWidth / 2 ? x - 9 : x + 9, y - 8, mark->label);
  }
  return svg.Done(kBottom + 38, axes.y);
}

std::string ShareColumns(const std::vector<ColumnBin>& bins, std::string_view axis) {
  constexpr double kLeft = 52;
  constexpr double kTop = 8;
  constexpr double kBottom = 190;
  constexpr double kMin = 1e-4;
  Svg svg;
  const auto y_of = [&](double share) {
    const double part = std::log10(std::max(share, kMin) / kMin) / -std::log10(kMin);
    return kBottom - part * (kBottom - kTop);
  };
  for (double share = kMin; share < 1.5; share *= 10) {
    svg.Line("grid", kLeft, y_of(share), kWidth - 6, y_of(share));
    svg.Text("end", kLeft - 5, y_of(share) + 4,
             fmt::format("{:g} %", std::round(share * 1e6) * 1e-4));
  }
  const double width = (kWidth - 6 - kLeft) / static_cast<double>(std::max<size_t>(bins.size(), 1));
  for (size_t bin = 0; bin < bins.size(); ++bin) {
    const double left = kLeft + static_cast<double>(bin) * width;
    const double each = (width - 4) / static_cast<double>(bins[bin].shares.size());
    for (size_t i = 0; i < bins[bin].shares.size(); ++i) {
      const double y = y_of(bins[bin].shares[i]);
      svg.Rect(fmt::format("s{}", i), left + 2 + static_cast<double>(i) * each, y, each,
               kBottom - y);
    }
    if (bin % 2 == 0) svg.Text("middle", left, kBottom + 14, bins[bin].label);
  }
  svg.Text("middle", (kLeft + kWidth) / 2, kBottom + 30, axis);
  return svg.Done(kBottom + 36, axis);
}

std::string StackChart(const std::vector<StackRow>& rows, std::string_view axis) {
  constexpr double kLeft = 70;
  constexpr double kBars = kWidth - kLeft - 14;
  constexpr double kHeight = 26;
  double end = 0;
  for (const StackRow& row : rows) {
    end = std::max(end, std::accumulate(row.parts.begin(), row.parts.end(), 0.0));
  }
  if (end == 0) return {};
  Svg svg;
  const double bottom = static_cast<double>(rows.size()) * kHeight + 4;
  LyingAxis(svg, kLeft, kBars, bottom, end, axis);
  for (size_t row = 0; row < rows.size(); ++row) {
    const double y = 4 + static_cast<double>(row) * kHeight;
    svg.Text("end", kLeft - 6, y + kHeight / 2 + 3, rows[row].label);
    double x = kLeft;
    for (size_t i = 0; i < rows[row].parts.size(); ++i) {
      const double width = rows[row].parts[i] / end * kBars;
      svg.Rect(fmt::format("s{}", i), x, y + 2, width, kHeight - 6);
      x += width;
    }
  }
  return svg.Done(bottom + 36, axis);
}

}  // namespace bitfetch
