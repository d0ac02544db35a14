// SPDX-License-Identifier: Apache-2.0
#include "bench/report_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "bench/field_title.h"
#include "bench/report_chart.h"

namespace bitfetch {
namespace {

using Rows = std::vector<const BenchJson*>;

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bitfetch report</title>
<style>
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --muted: #5c6670; --grid: #dfe3e8;
  --s0: #8b95a1; --s1: #0b6bcb; --s2: #2a9d5c; --s3: #c77d0a; --s4: #b03a6f; --s5: #6b5bb5; --s6: #b8bec6; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec; --muted: #9aa5b0; --grid: #30363d;
  --s0: #7d8894; --s1: #5aa9f7; --s2: #4cc38a; --s3: #eba53f; --s4: #e77aa8; --s5: #a294ee; --s6: #535c66; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 1060px; padding: 16px; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .2rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 8px 32px; }
figure { margin: 0; max-width: 560px; } section > svg { max-width: 640px; } figcaption { font-weight: 600; margin: .6rem 0 .2rem; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--grid); } .range { stroke: var(--ink); stroke-width: 1.5; opacity: .55; }
polyline { fill: none; stroke-width: 2; } .mark { fill: none; stroke: var(--ink); stroke-width: 2; }
.legend { color: var(--muted); font-size: .9rem; margin: .2rem 0; } .legend span { margin-right: 1em; white-space: nowrap; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px; }
table { border-collapse: collapse; font-size: .85rem; } td, th { padding: 2px 10px 2px 0; text-align: left; vertical-align: top; }
details { margin: .4rem 0; overflow-x: auto; } summary { color: var(--muted); cursor: pointer; } .muted { color: var(--muted); }
)";

std::string Text(const BenchJson& row, const char* name) {
  const auto it = row.find(name);
  if (it == row.end()) return {};
  if (it->is_string()) return it->get<std::string>();
  if (it->is_number_integer()) return fmt::format("{}", it->get<int64_t>());
  return it->is_number() ? fmt::format("{:.4g}", it->get<double>()) : it->dump();
}
double Number(const BenchJson& row, const std::string& name) {
  const auto it = row.find(name);
  return it != row.end() && it->is_number() ? it->get<double>() : 0;
}
Spread Value(const BenchJson& row, const std::string& name) {
  return {Number(row, name), Number(row, name + "_min"), Number(row, name + "_max")};
}

// The rows of a benchmark that have that field.
Rows RowsOf(const BenchJson& rows, std::string_view bench, const char* field) {
  Rows found;
  for (const BenchJson& row : rows) {
    if (Text(row, "bench") == bench && row.contains(field)) found.push_back(&row);
  }
  return found;
}

std::string TypeAndPlace(const BenchJson& row) {
  return fmt::format("{}, {}, {}", Text(row, "kv_type"), Text(row, "layout"), Text(row, "pages"));
}

// The rows that say the same of `key`, in their order.
std::vector<std::pair<std::string, Rows>> SplitBy(
    const Rows& rows, const std::function<std::string(const BenchJson&)>& key) {
  std::vector<std::pair<std::string, Rows>> sets;
  for (const BenchJson* row : rows) {
    const std::string name = key(*row);
    const auto it = std::ranges::find(sets, name, [](const auto& set) { return set.first; });
    if (it == sets.end()) {
      sets.emplace_back(name, Rows{row});
    } else {
      it->second.push_back(row);
    }
  }
  return sets;
}

const BenchJson* With(const Rows& rows, const char* name, std::string_view value) {
  const auto it =
      std::ranges::find_if(rows, [&](const auto* row) { return Text(*row, name) == value; });
  return it == rows.end() ? nullptr : *it;
}

// The figures behind a picture.
std::string Table(const Rows& rows, const std::vector<const char*>& names) {
  std::string text = "<details><summary>the figures</summary><table><tr>";
  for (const char* name : names) text += fmt::format("<th>{}</th>", FieldTitle(name));
  text += "</tr>\n";
  for (const BenchJson* row : rows) {
    text += "<tr>";
    for (const char* name : names) {
      std::string cell = Text(*row, name);
      const std::string spread = name;
      if (row->contains(spread + "_min")) {
        cell += fmt::format(" ({:.4g} to {:.4g})", Number(*row, spread + "_min"),
                            Number(*row, spread + "_max"));
      }
      text += fmt::format("<td>{}</td>", EscapeHtml(cell));
    }
    text += "</tr>\n";
  }
  return text + "</table></details>\n";
}

std::string Section(std::string_view title, std::string_view sentence, std::string_view body) {
  return fmt::format("<section><h2>{}</h2>\n<p>{}</p>\n{}</section>\n", EscapeHtml(title),
                     EscapeHtml(sentence), body);
}
std::string Figure(std::string_view caption, std::string_view chart) {
  return fmt::format("<figure><figcaption>{}</figcaption>\n{}</figure>\n", EscapeHtml(caption),
                     chart);
}
std::string Charts(std::string_view figures) {
  return fmt::format("<div class=\"charts\">\n{}</div>\n", figures);
}

std::string MachinePart(const BenchJson& rows) {
  std::string text;
  for (const BenchJson& row : rows) {
    if (Text(row, "bench") != "machine") continue;
    text += "<table>";
    for (const auto& [name, value] : row.items()) {
      if (name == "bench") continue;
      text += fmt::format("<tr><td class=\"muted\">{}</td><td>{}</td></tr>\n",
                          EscapeHtml(FieldTitle(name)), EscapeHtml(Text(row, name.c_str())));
    }
    text += "</table>\n";
  }
  return text;
}

std::string AttentionPart(const BenchJson& all) {
  const Rows rows = RowsOf(all, "attention", "fraction");
  if (rows.empty()) return {};
  std::string figures;
  double gain = 0;
  std::string where;
  for (const auto& [tokens, of_tokens] :
       SplitBy(rows, [](const BenchJson& row) { return Text(row, "n_kv"); })) {
    std::vector<BarSet> sets;
    double end = 1;
    for (const auto& [place, pair] : SplitBy(of_tokens, TypeAndPlace)) {
      const BenchJson* off = With(pair, "prefetch", "off");
      const BenchJson* law = With(pair, "prefetch", "auto");
      if (off == nullptr || law == nullptr) continue;
      sets.push_back({place, {Value(*off, "fraction"), Value(*law, "fraction")}});
      end = std::max({end, Number(*off, "fraction_max"), Number(*law, "fraction_max")});
      if (Number(*law, "over_off") > gain) {
        gain = Number(*law, "over_off");
        where =
            fmt::format("{}, {} tokens: {:.2f} of peak read bandwidth without it, {:.2f} with it",
                        place, tokens, Number(*off, "fraction"), Number(*law, "fraction"));
      }
    }
    figures += Figure(fmt::format("{} tokens in the cache, {} threads", tokens,
                                  Text(*of_tokens.front(), "threads")),
                      BarChart(sets, end, "share of peak read bandwidth"));
  }
  const std::string sentence = fmt::format(
      "How fast attention reads the KV cache, as a share of the fastest plain read of this "
      "machine. "
      "Prefetching makes it up to {:.2f} times faster, with {}. Bars are medians of passes, "
      "measured "
      "in turn with that read; lines are their range.",
      gain, where);
  return Section(
      "Attention over a cold KV cache", sentence,
      ChartLegend({"prefetch off", "prefetch auto"}) + Charts(figures) +
          Table(rows, {"kv_type", "layout", "pages", "n_kv", "prefetch", "distance_bytes",
                       "streams", "hint", "gb_per_s", "read_gb_per_s", "fraction", "over_off"}));
}

std::string DistancePart(const BenchJson& all) {
  const Rows rows = RowsOf(all, "distance", "fraction");
  if (rows.empty()) return {};
  const std::vector<std::string> streams = {"1", "2", "4", "8", "16"};
  std::string figures;
  std::string ratios;
  for (const auto& [place, of_place] : SplitBy(rows, TypeAndPlace)) {
    const BenchJson* law = With(of_place, "prefetch", "auto");
    if (law == nullptr) continue;
    if (law->contains("ratio")) {
      ratios += fmt::format(" {}: {:.2f} ({:.2f} to {:.2f}).", place, Number(*law, "ratio"),
                            Number(*law, "ratio_min"), Number(*law, "ratio_max"));
    }
    std::vector<ChartLine> lines;
    double end = 1;
    for (size_t i = 0; i < streams.size(); ++i) {
      ChartLine line{static_cast<int>(i) + 1, {}};
      for (const BenchJson* row : of_place) {
        if (row == law || Text(*row, "streams") != streams[i] ||
            Text(*row, "hint") != Text(*law, "hint")) {
          continue;
        }
        line.points.push_back({Number(*row, "distance_bytes"), Value(*row, "fraction")});
        end = std::max(end, Number(*row, "fraction_max"));
      }
      std::ranges::sort(line.points, {}, &ChartPoint::x);
      if (!line.points.empty()) lines.push_back(std::move(line));
    }
    if (const BenchJson* off = With(of_place, "prefetch", "off");
        off != nullptr && !lines.empty()) {
      const auto& points = lines.front().points;
      lines.insert(lines.begin(), {0,
                                   {{points.front().x, Value(*off, "fraction")},
                                    {points.back().x, Value(*off, "fraction")}}});
    }
    std::optional<ChartMark> mark;
    if (Number(*law, "distance_bytes") > 0) {
      mark = ChartMark{{Number(*law, "distance_bytes"), Value(*law, "fraction")}, "auto"};
    }
    figures += Figure(
        fmt::format("{} pages, {} tokens, into {}", place, Text(*law, "n_kv"), Text(*law, "hint")),
        LineChart({"bytes ahead", "share of peak read bandwidth", end}, lines, mark));
  }
  return Section(
      "How far ahead, and along how many streams",
      "The same attention at fixed distances; the circle is what prefetch auto chose from what was "
      "measured of this machine. Its speed over that of the fastest of all these, measured in "
      "turn:" +
          ratios,
      ChartLegend({"prefetch off", "1 stream", "2", "4", "8", "16"}) + Charts(figures) +
          Table(rows, {"layout", "prefetch", "distance_bytes", "streams", "hint", "gb_per_s",
                       "fraction", "ratio"}));
}

std::string MissesPart(const BenchJson& all) {
  const Rows rows = RowsOf(all, "misses", "dram_share");
  Rows bins = RowsOf(all, "misses", "from_ns");
  std::erase_if(bins, [](const BenchJson* row) { return row->contains("level"); });
  std::string unavailable;
  if (const Rows without = RowsOf(all, "misses", "touches_unavailable"); !without.empty()) {
    unavailable += fmt::format("<p class=\"muted\">No loads were timed: {}.</p>\n",
                               EscapeHtml(Text(*without.front(), "touches_unavailable")));
  }
  if (const Rows without = RowsOf(all, "misses", "counters_unavailable"); !without.empty()) {
    unavailable += fmt::format("<p class=\"muted\">Hardware's counters were not read: {}.</p>\n",
                               EscapeHtml(Text(*without.front(), "counters_unavailable")));
  }
  if (rows.empty() && unavailable.empty()) return {};
  std::string sentence =
      "The kernel's first load of a line, timed now and then: what prefetching left to wait for.";
  std::string figures;
  for (const auto& [place, of_place] : SplitBy(rows, TypeAndPlace)) {
    const BenchJson* off = With(of_place, "prefetch", "off");
    const BenchJson* law = With(of_place, "prefetch", "auto");
    if (off == nullptr || law == nullptr) continue;
    sentence +=
        fmt::format(" {}: {:.1f} % waited for DRAM without prefetching, {:.2f} % with it.", place,
                    100 * Number(*off, "dram_share"), 100 * Number(*law, "dram_share"));
    std::vector<ColumnBin> columns;
    for (const BenchJson* bin : bins) {
      if (TypeAndPlace(*bin) != place) continue;
      const bool is_off = Text(*bin, "prefetch") == "off";
      const std::string label = Text(*bin, "from_ns");
      auto it = std::ranges::find(columns, label, &ColumnBin::label);
      if (it == columns.end()) it = columns.insert(it, {label, {0, 0}});
      it->shares[is_off ? 0 : 1] = Number(*bin, "share");
    }
    figures += Figure(
        fmt::format("{} pages; sampling cost {:.1f} %", place, 100 * Number(*law, "sampling_cost")),
        ShareColumns(columns, "nanoseconds that a first load took, its timing included"));
  }
  return Section("Misses", sentence,
                 unavailable + ChartLegend({"prefetch off", "prefetch auto"}) + Charts(figures) +
                     Table(rows, {"kv_type", "layout", "pages", "prefetch", "touches", "dram_share",
                                  "late_share", "fewer", "sampling_cost",
                                  "l1d_read_misses_per_byte", "llc_read_misses_per_byte",
                                  "dtlb_read_misses_per_byte", "stalled_cycles_per_byte"}));
}

std::string TokensPart(const BenchJson& all) {
  const Rows rows = RowsOf(all, "decode", "tokens_per_s");
  if (rows.empty()) return {};
  std::vector<ChartLine> speeds;
  std::vector<ChartLine> shares;
  double fastest = 0;
  double largest = 1;
  std::string gains;
  for (const char* prefetch : {"off", "auto"}) {
    const int series = prefetch == std::string_view("auto") ? 1 : 0;
    ChartLine speed{series, {}};
    ChartLine share{series, {}};
    for (const BenchJson* row : rows) {
      if (Text(*row, "prefetch") != prefetch) continue;
      speed.points.push_back({Number(*row, "n_kv"), Value(*row, "tokens_per_s")});
      share.points.push_back({Number(*row, "n_kv"), Value(*row, "fraction")});
      fastest = std::max(fastest, Number(*row, "tokens_per_s_max"));
      largest = std::max(largest, Number(*row, "fraction_max"));
      if (series == 1) {
        gains += fmt::format(" {:.2f} at {},", Number(*row, "over_first"), Text(*row, "n_kv"));
      }
    }
    if (speed.points.empty()) continue;
    speeds.push_back(std::move(speed));
    shares.push_back(std::move(share));
  }
  if (!gains.empty()) gains.back() = '.';
  return Section(
      "Whole tokens",
      "How fast text is generated with so many tokens in the cache already. Speedup by "
      "prefetching:" +
          gains,
      ChartLegend({"prefetch off", "prefetch auto"}) +
          Charts(
              Figure("Speed",
                     LineChart({"tokens in the cache", "tokens a second", fastest}, speeds)) +
              Figure("What a token reads (weights, output head, KV cache) in its time, as a share "
                     "of peak read bandwidth",
                     LineChart({"tokens in the cache", "share of peak read bandwidth", largest},
                               shares))) +
          Table(rows, {"n_kv", "kv_type", "prefetch", "tokens_per_s", "over_first",
                       "bytes_per_token", "gb_per_s", "read_gb_per_s", "fraction"}));
}

std::string ProfilePart(const BenchJson& all) {
  const Rows rows = RowsOf(all, "decode", "stage");
  if (rows.empty()) return {};
  const std::vector<std::string> stages = {"others", "attention",   "gate_up", "down",
                                           "qkv",    "attn_output", "head"};
  std::vector<StackRow> bars;
  std::string sentence;
  for (const auto& [tokens, of_tokens] :
       SplitBy(rows, [](const BenchJson& row) { return Text(row, "n_kv"); })) {
    StackRow bar{tokens, std::vector<double>(stages.size(), 0)};
    double sum = 0;
    for (const BenchJson* row : of_tokens) {
      const std::string stage = Text(*row, "stage");
      if (Text(*row, "prefetch") != "auto" || stage == "all") continue;
      const auto it = std::ranges::find(stages, stage);
      const double ms = Number(*row, "us_per_token") * 1e-3;
      bar.parts[it == stages.end() ? 0 : it - stages.begin()] += ms;
      sum += ms;
    }
    if (sum == 0) continue;
    sentence = fmt::format(
        "Where the time of a token goes: of its {:.1f} ms with {} tokens in the "
        "cache, attention takes {:.0f} %.",
        sum, tokens, 100 * bar.parts[1] / sum);
    bars.push_back(std::move(bar));
  }
  return Section("A token", sentence,
                 ChartLegend(stages) + StackChart(bars, "milliseconds, by tokens in the cache") +
                     Table(rows, {"n_kv", "prefetch", "stage", "us_per_token", "share",
                                  "bytes_per_token", "gb_per_s", "fraction"}));
}

std::string BatchPart(const BenchJson& all) {
  const Rows rows = RowsOf(all, "batch", "step_ms");
  if (rows.empty()) return {};
  std::vector<ChartLine> lines;
  std::vector<std::string> legend;
  std::string gains;
  double end = 0;
  for (const auto& [tokens, of_tokens] :
       SplitBy(rows, [](const BenchJson& row) { return Text(row, "n_kv"); })) {
    ChartLine line{static_cast<int>(lines.size()), {}};
    for (const BenchJson* row : of_tokens) {
      line.points.push_back({Number(*row, "sequences"), Value(*row, "step_ms")});
      end = std::max(end, Number(*row, "step_ms_max"));
    }
    lines.push_back(std::move(line));
    legend.push_back(tokens + " tokens in each");
    const BenchJson& most = *of_tokens.back();
    gains += fmt::format(" {} sequences of {} tokens: {:.2f} times the tokens a second of one.",
                         Text(most, "sequences"), tokens, Number(most, "over_one"));
  }
  return Section(
      "Many sequences",
      "What a step costs in which each sequence gets its next token, all with one read of the "
      "weights." +
          gains,
      ChartLegend(legend) +
          Charts(Figure("Cost", LineChart({"sequences", "milliseconds a step", end}, lines))) +
          Table(rows, {"n_kv", "kv_type", "sequences", "step_ms", "tokens_per_s", "over_one",
                       "of_bound", "bytes_per_token", "fraction"}));
}

std::string CachePart(const BenchJson& all) {
  const Rows rows = RowsOf(all, "cache", "ttft_ms");
  if (rows.empty()) return {};
  std::vector<ChartLine> lines;
  std::vector<std::string> legend;
  std::string gains;
  double soonest = std::numeric_limits<double>::infinity();
  double latest = 0;
  for (const auto& [store, of_store] :
       SplitBy(rows, [](const BenchJson& row) { return Text(row, "store"); })) {
    ChartLine line{static_cast<int>(lines.size()), {}};
    for (const BenchJson* row : of_store) {
      line.points.push_back({Number(*row, "n_kv"), Value(*row, "ttft_ms")});
      soonest = std::min(soonest, Number(*row, "ttft_ms_min"));
      latest = std::max(latest, Number(*row, "ttft_ms_max"));
    }
    lines.push_back(std::move(line));
    legend.push_back(store == "none" ? "computed" : "from " + (store == "ram" ? "memory" : store));
    const BenchJson& longest = *of_store.back();
    if (store != "none" && longest.contains("over_none")) {
      gains += fmt::format(" Behind {} tokens it comes {:.1f} times sooner {}.",
                           Text(longest, "n_kv"), Number(longest, "over_none"), legend.back());
    }
  }
  const double begin = std::pow(10, std::floor(std::log10(soonest)));
  return Section(
      "A prompt that was met before",
      "How soon the first token comes behind a prefix whose KV is computed, in memory, or on disk "
      "when the engine was just opened." +
          gains,
      ChartLegend(legend) +
          Charts(Figure("The first token", LineChart({"tokens of the prefix", "milliseconds",
                                                      std::max(latest, begin * 10), begin},
                                                     lines))) +
          Table(rows, {"n_kv", "kv_type", "store", "ttft_ms", "over_none", "gb_per_s",
                       "read_gb_per_s", "fraction"}));
}

}  // namespace

std::string ReportHtml(const BenchJson& rows) {
  std::string html(kHead);
  for (int i = 0; i <= 6; ++i) {
    html += fmt::format(
        ".s{0} {{ fill: var(--s{0}); background: var(--s{0}); }} .l{0} {{ stroke: var(--s{0}); "
        "}}\n",
        i);
  }
  html += "</style>\n</head>\n<body>\n<h1>bitfetch on this machine</h1>\n";
  html += MachinePart(rows) + AttentionPart(rows) + MissesPart(rows) + DistancePart(rows) +
          TokensPart(rows) + ProfilePart(rows) + BatchPart(rows) + CachePart(rows);
  return html + "</body>\n</html>\n";
}

}  // namespace bitfetch
