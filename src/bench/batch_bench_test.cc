// SPDX-License-Identifier: Apache-2.0
#include "bench/batch_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/temp_dir.h"
#include "engine/test_profile.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

class BatchBenchTest : public ::testing::Test {
 protected:
  BatchBenchTest() {
    EXPECT_TRUE(WriteTestModel(path_, shape_));
    options_.places.model = path_;
    options_.places.threads = {1};
    options_.places.pages = {PageSize::k4K};
    options_.places.n_kv = {40};
    options_.repeats = 1;
  }

  std::vector<BatchBenchRow> Rows(int64_t total) {
    std::vector<BatchBenchRow> rows;
    const Status status =
        BenchBatch(options_, [&](const BatchBenchRow& row, int64_t done, int64_t of) -> Status {
          rows.push_back(row);
          EXPECT_EQ(done, static_cast<int64_t>(rows.size()));
          EXPECT_EQ(of, total);
          return {};
        });
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_EQ(static_cast<int64_t>(rows.size()), total);
    return rows;
  }

  // What a pass reads of the weights and of the output head, whatever its rows.
  int64_t WeightBytes() const {
    const int64_t q = shape_.heads * shape_.head_dim, kv = shape_.kv_heads * shape_.head_dim;
    return shape_.layers * shape_.hidden * (2 * q + 2 * kv + 3 * shape_.ffn) / 4 +
           shape_.vocab * shape_.hidden * 2;
  }
  // Of f16.
  int64_t KvBytes(int64_t tokens) const {
    return tokens * 2 * 2 * shape_.kv_heads * shape_.head_dim * shape_.layers;
  }

  TestProfile profile_;
  TempDir folder_;
  TestModel shape_;
  std::string path_ = folder_.Path("model.gguf");
  BatchBenchOptions options_;
};

TEST_F(BatchBenchTest, EveryCombinationIsARowOfFiguresThatAgree) {
  options_.sequences = {1, 3};
  options_.shared = {0, 20};
  options_.rows = {1, 2};
  options_.prefetch = {{PrefetchSetting::Mode::kOff}, {}};
  options_.places.n_kv = {40, 50};
  std::set<std::string> combinations;
  for (const BatchBenchRow& row : Rows(32)) {
    combinations.insert(fmt::format("{} {} {} {} {}", row.place.n_kv, row.sequences, row.shared,
                                    row.rows, PrefetchSettingText(row.prefetch)));
    const auto tokens = static_cast<double>(row.sequences * row.rows);
    EXPECT_NEAR(row.tokens_per_s.median * row.step_ms.median, tokens * 1e3, 1e-6 * tokens * 1e3);
    const double one = row.tokens_per_s.median / row.over_one.median;
    const double bound = std::min(tokens * one, row.pass64_rows_per_s.median);
    EXPECT_NEAR(row.of_bound.median * bound, row.tokens_per_s.median,
                1e-6 * row.tokens_per_s.median);
    EXPECT_EQ(row.over_own.has_value(), row.shared > 0);
    EXPECT_GT(row.gb_per_s.median, 0);
    EXPECT_GT(row.read_gb_per_s.median, 0);
    EXPECT_NEAR(row.fraction.median * row.read_gb_per_s.median, row.gb_per_s.median,
                1e-6 * row.gb_per_s.median);
    EXPECT_EQ(row.repeats, 1);
  }
  EXPECT_EQ(combinations.size(), 32u);
}

TEST_F(BatchBenchTest, WeightsAreReadOnceAStepAndEachSequencesKv) {
  options_.sequences = {1, 3};
  options_.rows = {1, 4};
  for (const BatchBenchRow& row : Rows(4)) {
    EXPECT_EQ(row.bytes_per_token,
              (WeightBytes() + row.sequences * KvBytes(48)) / (row.sequences * row.rows));
  }
}

TEST_F(BatchBenchTest, WholeRangesOfASharedPrefixAreReadOnce) {
  options_.sequences = {3};
  options_.places.n_kv = {300};
  options_.shared = {0, 256};
  const auto rows = Rows(2);
  EXPECT_EQ(rows[0].bytes_per_token, (WeightBytes() + 3 * KvBytes(304)) / 3);
  EXPECT_EQ(rows[1].bytes_per_token, (WeightBytes() + KvBytes(256) + 3 * KvBytes(48)) / 3);
}

TEST_F(BatchBenchTest, MoreRowsThanAPassTakes) {
  options_.sequences = {2};
  options_.rows = {64};
  // A pass for each sequence, in which 16 rows a read see up to 56, 72, 88 and 104 tokens.
  EXPECT_EQ(Rows(1)[0].bytes_per_token, 2 * (WeightBytes() + KvBytes(64 + 80 + 96 + 112)) / 128);
}

TEST_F(BatchBenchTest, ErrorsEndIt) {
  options_.shared = {41};
  const Status too_many = BenchBatch(options_, {});
  ASSERT_FALSE(too_many);
  EXPECT_THAT(too_many.error().message, ::testing::HasSubstr("of 40 tokens can't have 41"));
  options_.shared = {0};
  int heard = 0;
  EXPECT_FALSE(BenchBatch(options_, [&](const BatchBenchRow&, int64_t, int64_t) -> Status {
    ++heard;
    return Fail("enough");
  }));
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace bitfetch
