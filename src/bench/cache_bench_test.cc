// SPDX-License-Identifier: Apache-2.0
#include "bench/cache_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/temp_dir.h"
#include "bench/disk_read.h"
#include "engine/test_profile.h"
#include "model/test_model.h"
#include "tier/test_redis.h"

namespace bitfetch {
namespace {

class CacheBenchTest : public ::testing::Test {
 protected:
  CacheBenchTest() {
    EXPECT_TRUE(WriteTestModel(path_, shape_));
    std::filesystem::create_directory(options_.cache_dir);
    options_.model = path_;
    options_.threads = {1};
    options_.n_kv = {48, 100};
    options_.repeats = 3;
  }

  std::vector<CacheBenchRow> Rows() {
    std::vector<CacheBenchRow> rows;
    const Status status = BenchCache(
        options_,
        [&](const CacheBenchRow& row) -> Status {
          rows.push_back(row);
          return {};
        },
        [&](int64_t done, int64_t total) {
          EXPECT_GE(done, done_);
          EXPECT_LE(done, total);
          done_ = done;
          total_ = total;
        });
    EXPECT_TRUE(status) << status.error().message;
    return rows;
  }

  TestProfile profile_;
  TempDir folder_;
  TestModel shape_;
  std::string path_ = folder_.Path("model.gguf");
  CacheBenchOptions options_{.cache_dir = folder_.Path("kv")};
  int64_t done_ = 0, total_ = 0;
};

TEST_F(CacheBenchTest, EachPrefixHasARowForEachStore) {
  options_.cold_repeats = 2;
  options_.kv_types = {{KvType::kF16, KvType::kF16}, {KvType::kF32, KvType::kF32}};
  const std::vector<CacheBenchRow> rows = Rows();
  ASSERT_EQ(rows.size(), 2u * 2 * 3);
  for (size_t i = 0; i < rows.size(); ++i) {
    const CacheBenchRow& row = rows[i];
    EXPECT_EQ(row.store, static_cast<CacheStore>(i % 3));
    EXPECT_EQ(row.n_kv, i / 3 % 2 == 0 ? 48 : 100);
    EXPECT_EQ(row.kv_types, options_.kv_types[i / 6]);
    EXPECT_EQ(row.repeats, row.store == CacheStore::kNone ? 2 : 3);
    EXPECT_GT(row.ttft_ms.min, 0);
    ASSERT_TRUE(row.over_none);
    if (row.store == CacheStore::kNone) {
      EXPECT_EQ(row.over_none->max, 1);
    }
    ASSERT_EQ(row.read.has_value(), row.store == CacheStore::kDisk);
    if (!row.read) continue;
    const int64_t value_bytes = row.kv_types.k == KvType::kF16 ? 2 : 4;
    const int64_t block_bytes =
        shape_.layers * shape_.kv_heads * shape_.head_dim * 2 * value_bytes * kTileTokens;
    EXPECT_EQ(row.read->bytes, row.n_kv / kTileTokens * (256 + block_bytes));
    EXPECT_GT(row.read->fraction.min, 0);
  }
  EXPECT_EQ(total_, 2 * (48 + 100) * (2 + 3 + 3));
  EXPECT_EQ(done_, total_);
  EXPECT_TRUE(std::filesystem::is_empty(options_.cache_dir));
}

TEST_F(CacheBenchTest, WithoutComputingThereIsNothingToBeFasterThan) {
  options_.cold_repeats = 0;
  const std::vector<CacheBenchRow> rows = Rows();
  ASSERT_EQ(rows.size(), 2u * 2);
  for (const CacheBenchRow& row : rows) {
    EXPECT_NE(row.store, CacheStore::kNone);
    EXPECT_FALSE(row.over_none);
  }
}

TEST_F(CacheBenchTest, ARedisHasRowsWhereOneIsGiven) {
  const TestRedis redis;
  options_.kv_store = {redis.address()};
  const std::vector<CacheBenchRow> rows = Rows();
  ASSERT_EQ(rows.size(), 2u * 4);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].store, static_cast<CacheStore>(i % 4));
    EXPECT_GT(rows[i].ttft_ms.min, 0);
  }
}

TEST_F(CacheBenchTest, AFolderThatIsNotThereIsAnError) {
  options_.cache_dir = folder_.Path("nowhere");
  const Status status = BenchCache(options_, [](const CacheBenchRow&) { return Status(); }, {});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, ::testing::HasSubstr(options_.cache_dir));
}

TEST(DiskRead, ReadsWhatThereIsAndSaysWhereThereIsLess) {
  const TempDir folder;
  const std::string path = folder.Path("plain");
  Result<DiskRead> read = DiskRead::Create(path, (3 << 20) - 5);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(std::filesystem::file_size(path), 3u << 20);
  for (const int64_t bytes : {1, 2 << 20, 3 << 20}) {
    const Result<double> gb_per_s = read->Once(bytes);
    ASSERT_TRUE(gb_per_s) << gb_per_s.error().message;
    EXPECT_GT(*gb_per_s, 0);
  }
  EXPECT_FALSE(read->Once((3 << 20) + 1));
}

}  // namespace
}  // namespace bitfetch
