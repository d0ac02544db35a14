// SPDX-License-Identifier: Apache-2.0
#include "bench/report_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BenchJson Place(std::string_view bench, std::string_view prefetch) {
  return {{"bench", bench},       {"threads", 2},
          {"n_kv", 8192},         {"kv_type", "f16"},
          {"layout", "paged"},    {"pages", "huge"},
          {"prefetch", prefetch}, {"hint", "l2"},
          {"streams", 4},         {"distance_bytes", prefetch == "off" ? 0 : 4096}};
}

int Count(std::string_view text, std::string_view part) {
  int count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++at) ++count;
  return count;
}

BenchJson With(BenchJson row, const char* name, double value) {
  row[name] = value;
  row[std::string(name) + "_min"] = value * 0.9;
  row[std::string(name) + "_max"] = value * 1.1;
  return row;
}

BenchJson AllRows() {
  BenchJson rows = BenchJson::array();
  rows.push_back({{"bench", "machine"}, {"cpu", "A <CPU> & more"}});
  rows.push_back(With(Place("attention", "off"), "fraction", 0.4));
  rows.push_back(With(With(Place("attention", "auto"), "fraction", 0.8), "over_off", 2));
  for (const char* prefetch : {"off", "auto"}) {
    const double share = prefetch == std::string_view("off") ? 0.028 : 0.002;
    rows.push_back(With(Place("misses", prefetch), "dram_share", share));
    rows.back()["counters_unavailable"] = "there are none";
    BenchJson bin = Place("misses", prefetch);
    bin["from_ns"] = 0;
    bin["to_ns"] = 10;
    bin["share"] = 1 - share;
    rows.push_back(bin);
    bin.erase("to_ns");  // the last one
    bin["from_ns"] = 1000;
    bin["share"] = share;
    rows.push_back(bin);
    bin["level"] = "DRAM";
    bin["from_ns"] = 77;
    rows.push_back(bin);
  }
  rows.push_back(With(Place("distance", "off"), "fraction", 0.4));
  rows.push_back(With(Place("distance", "4096"), "fraction", 0.7));
  rows.push_back(With(With(Place("distance", "auto"), "fraction", 0.8), "ratio", 0.98));
  for (const char* prefetch : {"off", "auto"}) {
    rows.push_back(With(With(With(Place("decode", prefetch), "tokens_per_s", 20), "fraction", 0.9),
                        "over_first", 1.25));
    BenchJson stage = Place("decode", prefetch);
    stage["stage"] = "attention";
    stage["us_per_token"] = 5000;
    rows.push_back(stage);
  }
  for (const int sequences : {1, 8}) {
    BenchJson step = With(With(Place("batch", "auto"), "step_ms", 30 + 5 * sequences), "over_one",
                          sequences == 1 ? 1 : 4);
    step["sequences"] = sequences;
    rows.push_back(step);
  }
  for (const char* store : {"none", "ram", "disk"}) {
    const double over = store == std::string_view("none") ? 1 : 25;
    rows.push_back(With(With(BenchJson{{"bench", "cache"}, {"n_kv", 512}, {"store", store}},
                             "ttft_ms", 4000 / over),
                        "over_none", over));
  }
  return rows;
}

TEST(ReportHtml, SaysWhatEachPictureShows) {
  const std::string html = ReportHtml(AllRows());
  EXPECT_THAT(html, HasSubstr("A &lt;CPU&gt; &amp; more"));
  EXPECT_THAT(html, HasSubstr("0.40 of peak read bandwidth without it, 0.80 with it"));
  EXPECT_THAT(html, HasSubstr("2.8 % waited for DRAM without prefetching, 0.20 % with it"));
  const std::string misses = html.substr(html.find("<h2>Misses"));
  EXPECT_EQ(Count(misses.substr(0, misses.find("</svg>")), "<rect "), 4);  // two bins, off and law
  EXPECT_THAT(html, HasSubstr("there are none"));
  EXPECT_THAT(html, HasSubstr("0.98 (0.88 to 1.08)"));
  EXPECT_THAT(html, HasSubstr("1.25 at 8192."));
  EXPECT_THAT(html, HasSubstr("<th>share of peak read bandwidth</th><th>speedup vs off</th>"));
  EXPECT_THAT(html, HasSubstr("<th>tokens in the cache</th><th>KV type</th>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"muted\">CPU</td>"));
  EXPECT_THAT(html, HasSubstr("of its 5.0 ms with 8192 tokens"));
  EXPECT_THAT(html, HasSubstr("8 sequences of 8192 tokens: 4.00 times the tokens a second of one"));
  const std::string batch = html.substr(html.find("<h2>Many sequences"));
  EXPECT_EQ(Count(batch.substr(0, batch.find("</svg>")), "<circle class=\"s0\""), 2);
  EXPECT_THAT(html,
              HasSubstr("Behind 512 tokens it comes 25.0 times sooner from memory. Behind 512"));
  const std::string cache = html.substr(html.find("<h2>A prompt that was met before"));
  EXPECT_EQ(Count(cache, "<polyline "), 3);
  EXPECT_THAT(cache, HasSubstr("</i>from disk</span>"));
}

// Every element that is opened is closed, in order; nothing is fetched from anywhere.
TEST(ReportHtml, IsWellFormedAndStandsAlone) {
  const std::string html = ReportHtml(AllRows());
  std::vector<std::string> open;
  int pictures = 0;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const size_t end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = html.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find(' '));
    if (name == "!doctype" || name == "meta" || tag.back() == '/') continue;
    if (name[0] == '/') {
      ASSERT_FALSE(open.empty());
      EXPECT_EQ("/" + open.back(), name);
      open.pop_back();
    } else {
      open.push_back(name);
    }
    pictures += name == "svg" ? 1 : 0;
  }
  EXPECT_TRUE(open.empty()) << open.back();
  EXPECT_EQ(pictures, 8);
  for (const char* link : {"http", "src=", "href=", "url(", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(link)));
  }
}

TEST(ReportHtml, LeavesOutWhatWasNotMeasured) {
  const std::string html = ReportHtml(BenchJson::array());
  EXPECT_THAT(html, Not(HasSubstr("<section>")));
  BenchJson row = Place("misses", "auto");
  row["touches_unavailable"] = "the counter is too coarse";
  EXPECT_THAT(ReportHtml(BenchJson::array({row})), HasSubstr("the counter is too coarse"));
}

}  // namespace
}  // namespace bitfetch
