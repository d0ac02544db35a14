// SPDX-License-Identifier: Apache-2.0
#include "serve/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using testing::HasSubstr;

TEST(Histogram, CountsUpToEachBound) {
  Histogram histogram({1, 2.5});
  for (const double value : {0.5, 1.0, 2.0, 3.0}) histogram.Record(value);
  EXPECT_EQ(histogram.Text("h", "Some help."),
            "# HELP bitfetch_h Some help.\n"
            "# TYPE bitfetch_h histogram\n"
            "bitfetch_h_bucket{le=\"1\"} 2\n"
            "bitfetch_h_bucket{le=\"2.5\"} 3\n"
            "bitfetch_h_bucket{le=\"+Inf\"} 4\n"
            "bitfetch_h_sum 6.5\n"
            "bitfetch_h_count 4\n");
}

TEST(Metrics, TellWhatWasDone) {
  Metrics metrics;
  metrics.OnFirstToken(0.3);
  metrics.OnNextToken(0.02);
  metrics.OnEnd({.reason = StopReason::kStopToken}, 1);
  metrics.OnEnd({.status = Fail("no")}, 1);
  metrics.OnEnd({.reason = StopReason::kInterrupted}, 1);
  metrics.OnResponse(429);
  const std::string text = metrics.Text({.running = 2,
                                         .waiting = 1,
                                         .prompt_tokens = 30,
                                         .cached_tokens = 16,
                                         .tokens = 7,
                                         .drafts = 3,
                                         .guesses = 9,
                                         .accepted = 5,
                                         .preemptions = 1,
                                         .kv_usage = 0.25,
                                         .store = {}});
  for (const char* line : {
           "bitfetch_num_requests_running 2\n",
           "bitfetch_num_requests_waiting 1\n",
           "bitfetch_kv_cache_usage_perc 0.25\n",
           "bitfetch_prefix_cache_queries_total 30\n",
           "bitfetch_prefix_cache_hits_total 16\n",
           "bitfetch_prompt_tokens_total 30\n",
           "bitfetch_generation_tokens_total 7\n",
           "bitfetch_spec_decode_num_drafts_total 3\n",
           "bitfetch_spec_decode_num_draft_tokens_total 9\n",
           "bitfetch_spec_decode_num_accepted_tokens_total 5\n",
           "bitfetch_num_preemptions_total 1\n",
           "bitfetch_time_to_first_token_seconds_bucket{le=\"0.5\"} 1\n",
           "bitfetch_inter_token_latency_seconds_bucket{le=\"0.01\"} 0\n",
           "bitfetch_inter_token_latency_seconds_bucket{le=\"0.02\"} 1\n",
           "bitfetch_e2e_request_latency_seconds_count 3\n",
           "bitfetch_request_queue_time_seconds_count 3\n",
           "bitfetch_request_success_total{finished_reason=\"stop\"} 1\n",
           "bitfetch_request_success_total{finished_reason=\"length\"} 0\n",
           "bitfetch_request_success_total{finished_reason=\"error\"} 1\n",
           "bitfetch_request_success_total{finished_reason=\"abort\"} 1\n",
           "bitfetch_http_responses_total{status=\"429\"} 1\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

// Each line is a comment or a sample, and each sample's name is declared before it.
TEST(Metrics, AreWellFormed) {
  std::string name;
  const std::string text = Metrics().Text({});
  for (std::string_view rest = text; !rest.empty();) {
    const std::string line(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(line.size() + 1);
    if (line.starts_with("# TYPE ")) name = line.substr(7, line.rfind(' ') - 7);
    if (line.starts_with("#")) continue;
    EXPECT_TRUE(line.starts_with(name)) << line;
    EXPECT_THAT(line, testing::MatchesRegex("[a-z0-9_]+(\\{[a-z_]+=\"[^\"]*\"\\})? [0-9.e+-]+"));
  }
}

TEST(Metrics, TellOfAStoreWhereThereIsOne) {
  const Metrics metrics;
  EXPECT_THAT(metrics.Text({}), testing::Not(HasSubstr("store")));
  SchedulerStats stats;
  stats.store = KvTier::Stats{.queried_tokens = 64,
                              .hit_tokens = 48,
                              .read_bytes = 3000,
                              .written_bytes = 2000,
                              .faults = 1};
  for (const char* line :
       {"bitfetch_external_prefix_cache_queries_total 64\n",
        "bitfetch_external_prefix_cache_hits_total 48\n",
        "bitfetch_kv_store_read_bytes_total 3000\n", "bitfetch_kv_store_written_bytes_total 2000\n",
        "bitfetch_kv_store_faults_total 1\n"}) {
    EXPECT_THAT(metrics.Text(stats), HasSubstr(line));
  }
}

}  // namespace
}  // namespace bitfetch
