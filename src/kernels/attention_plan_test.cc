// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <tuple>
#include <vector>

namespace bitfetch {
namespace {

constexpr int kGroup = 4;
constexpr KvLayout kLayout{.kv_heads = 5, .head_dim = 128};
constexpr int64_t kStepFloats = int64_t{1} << 19;
constexpr int64_t kRangeFloats = int64_t{32} * 20 * 160;  // of 32 rows
constexpr int64_t kRangeBlocks = kRangeTokens / kTileTokens;
const std::byte arena{};

// Block tables that nothing lies behind: a plan never reads a block.
class Tables {
 public:
  // A sequence of `length` tokens, of which the first `shared` whole blocks are those of `like`.
  AttendSlice Slice(int64_t length, int64_t rows, int64_t shared = 0, size_t like = 0) {
    std::vector<uint32_t> blocks((length + kTileTokens - 1) / kTileTokens);
    std::iota(blocks.begin(), blocks.end(), next_);
    next_ += static_cast<uint32_t>(blocks.size());
    if (shared > 0) std::copy_n(tables_[like].begin(), shared, blocks.begin());
    tables_.push_back(std::move(blocks));
    return {.kv = {kLayout, &arena, kLayout.block_bytes(), tables_.back().data(), length},
            .rows = rows};
  }

 private:
  std::vector<std::vector<uint32_t>> tables_;
  uint32_t next_ = 0;
};

AttentionPlan PlanOf(const std::vector<AttendSlice>& slices, int threads = 2) {
  AttentionPlan plan;
  plan.Begin(slices, kGroup, threads, kStepFloats);
  return plan;
}

// Ranges that are read, in all.
int64_t RangesRead(const AttentionPlan& plan) {
  int64_t ranges = 0;
  for (const AttentionPlan::Read& read : plan.reads()) {
    ranges += (read.end - read.begin + kRangeTokens - 1) / kRangeTokens;
  }
  return ranges;
}

TEST(AttentionPlan, RowsOfOneSequenceReadItOnce) {
  for (const int64_t rows : {1, 2, 4, 16}) {
    Tables tables;
    EXPECT_EQ(RangesRead(PlanOf({tables.Slice(8192, rows)})), 32) << rows;
  }
}

TEST(AttentionPlan, SequencesReadOnceWhatTheyShare) {
  Tables tables;
  std::vector<AttendSlice> slices = {tables.Slice(8 * kRangeTokens + 100, 1)};
  slices.push_back(tables.Slice(10 * kRangeTokens, 3));  // of its own
  for (int i = 0; i < 3; ++i) {
    slices.push_back(tables.Slice(8 * kRangeTokens + 20, 1, 8 * kRangeBlocks, 0));
    slices.push_back(tables.Slice(6 * kRangeTokens, 1, 3 * kRangeBlocks + 5, 0));
  }
  const AttentionPlan plan = PlanOf(slices);
  // Three ranges of all seven, five more of four, their ends, three times three, and the other.
  EXPECT_EQ(RangesRead(plan), 3 + 5 + 4 + 9 + 10);
  for (const AttentionPlan::Read& read : plan.reads()) {
    for (int64_t row = read.first_row; row < read.first_row + read.rows; ++row) {
      const AttendSlice& slice = slices[plan.rows()[row].slice];
      const int64_t first = read.begin / kTileTokens;
      const int64_t end = (read.end + kTileTokens - 1) / kTileTokens;
      EXPECT_TRUE(std::equal(slice.kv.blocks + first, slice.kv.blocks + end,
                             slices[read.slice].kv.blocks + first));
    }
  }
}

TEST(AttentionPlan, SharesNoRangeThatARowSeesInPart) {
  for (const auto& [rows, ranges] : {std::pair{1, 4}, {2, 3 + 2}}) {
    Tables tables;
    const AttendSlice first = tables.Slice(4 * kRangeTokens, 1);
    const AttendSlice second = tables.Slice(4 * kRangeTokens, rows, 4 * kRangeBlocks);
    EXPECT_EQ(RangesRead(PlanOf({first, second})), ranges);
  }
}

TEST(AttentionPlan, SharesNothingAcrossPools) {
  Tables tables;
  std::vector<AttendSlice> slices = {tables.Slice(kRangeTokens, 1),
                                     tables.Slice(kRangeTokens, 1, kRangeBlocks)};
  EXPECT_EQ(RangesRead(PlanOf(slices)), 1);
  const std::byte other{};
  slices[1].kv.arena = &other;
  EXPECT_EQ(RangesRead(PlanOf(slices)), 2);
}

TEST(AttentionPlan, NeedsNoBlocksOfTheRowsThemselves) {
  // The table ends with what is stored before them: reading on would be an error that ASan sees.
  const std::vector<uint32_t> blocks(kRangeBlocks);
  const std::vector<AttendSlice> slices(
      2, {.kv = {kLayout, &arena, kLayout.block_bytes(), blocks.data(), kRangeTokens + 300},
          .rows = 300});
  EXPECT_EQ(PlanOf(slices).reads().front().end, kRangeTokens);
}

std::vector<AttendSlice> RandomSlices(Tables& tables, std::mt19937& random) {
  const auto uniform = [&](int64_t min, int64_t max) {
    return std::uniform_int_distribution<int64_t>(min, max)(random);
  };
  std::vector<AttendSlice> slices;
  const int64_t count = uniform(1, 32);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t length = uniform(0, uniform(0, 1) > 0 ? 600 : 20'000);
    const int64_t rows = uniform(1, uniform(0, 2) > 0 ? 1 : 64);
    if (i == 0 || uniform(0, 1) > 0) {
      slices.push_back(tables.Slice(length, rows));
    } else {
      const auto like = static_cast<size_t>(uniform(0, i - 1));
      const int64_t max = std::min(length, slices[like].kv.length) / kTileTokens;
      slices.push_back(tables.Slice(length, rows, uniform(0, max), like));
    }
  }
  return slices;
}

TEST(AttentionPlan, EachRowMeetsEachRangeThatItSeesOnceAndInOrder) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    Tables tables;
    const auto slices = RandomSlices(tables, random);
    for (const int threads : {1, 2, 5, 64}) {
      AttentionPlan plan = PlanOf(slices, threads);
      std::map<std::pair<size_t, int64_t>, int64_t> seen;  // of a row of a slice: tokens
      while (plan.NextStep()) {
        EXPECT_LE(plan.floats(), kStepFloats + kRangeFloats);
        for (const AttentionPlan::Part& part : plan.parts()) {
          const AttentionPlan::Read& read = plan.reads()[part.read];
          for (int64_t i = 0; i < read.rows; ++i) {
            if (!read.by_head) {
              EXPECT_GE(read.first_row, plan.step_rows().begin);
              EXPECT_LE(read.first_row + read.rows, plan.step_rows().end);
            }
            const auto [slice, index] = plan.rows()[read.first_row + i];
            const int64_t visible = slices[slice].Visible(index);
            EXPECT_EQ(std::min(read.visible + i, part.end), std::min(visible, part.end));
            int64_t& done = seen[{slice, index}];
            if (part.begin < visible) {
              EXPECT_EQ(part.begin, done);
            }
            done = std::max(done, std::min(part.end, visible));
          }
        }
      }
      for (size_t slice = 0; slice < slices.size(); ++slice) {
        for (int64_t row = 0; row < slices[slice].rows; ++row) {
          const int64_t visible = slices[slice].Visible(row);
          ASSERT_EQ((seen.at({slice, row})), std::max<int64_t>(visible, 0));
        }
      }
    }
  }
}

TEST(AttentionPlan, ThreadsDoEverythingOnceAndCostAsMuch) {
  std::mt19937 random(2);
  for (int round = 0; round < 50; ++round) {
    Tables tables;
    const auto slices = RandomSlices(tables, random);
    for (const int threads : {1, 2, 5, 64}) {
      AttentionPlan plan = PlanOf(slices, threads);
      while (plan.NextStep()) {
        std::vector<std::tuple<size_t, int64_t, int>> done;  // part, range, head
        std::vector<double> costs(plan.shares());
        double largest = 0;  // that is not cut
        int64_t ranges = 0;
        bool together = false;
        for (const AttentionPlan::Part& part : plan.parts()) {
          ranges += (part.end - part.begin + kRangeTokens - 1) / kRangeTokens;
          together |= plan.reads()[part.read].rows > 1;
        }
        const bool whole = ranges >= 16 * (together ? plan.shares() : threads);
        for (int share = 0; share < plan.shares(); ++share) {
          for (const AttentionPlan::Job& job : plan.Jobs(share)) {
            const AttentionPlan::Part& part = plan.parts()[job.part];
            const AttentionPlan::Read& read = plan.reads()[part.read];
            if (read.by_head) {
              EXPECT_EQ(job.begin, 0);
              EXPECT_EQ(job.end, read.end);
            }
            for (int64_t begin = job.begin; begin < job.end; begin += kRangeTokens) {
              for (int head = job.first_head; head < job.end_head; ++head) {
                done.emplace_back(job.part, begin, head);
              }
            }
            const double cost = plan.Cost(read, job.begin, job.end);
            costs[share] += cost * (job.end_head - job.first_head);
            if (read.by_head) {
              largest = std::max(largest, cost);
              continue;
            }
            const int64_t end = std::min(job.begin + kRangeTokens, job.end);
            const int heads = whole ? kLayout.kv_heads : 1;
            largest = std::max(largest, plan.Cost(read, job.begin, end) * heads);
          }
        }
        std::sort(done.begin(), done.end());
        EXPECT_EQ(std::adjacent_find(done.begin(), done.end()), done.end());
        ASSERT_EQ(static_cast<int64_t>(done.size()), ranges * kLayout.kv_heads);
        const double mean = std::accumulate(costs.begin(), costs.end(), 0.0) / plan.shares();
        for (const double cost : costs) EXPECT_NEAR(cost, mean, largest * 1.001);
      }
    }
  }
}

TEST(AttentionPlan, OneRowIsTakenInWholeRangesOrReadOnAndOn) {
  Tables tables;
  for (const auto& [length, threads, shares] : {std::tuple{8192, 2, 8},
                                                {4096, 2, 4},
                                                {4000, 2, 4},
                                                {2048, 2, 2},
                                                {8192, 16, 16},
                                                {8192, 1, 1}}) {
    AttentionPlan plan = PlanOf({tables.Slice(length, 1)}, threads);
    EXPECT_TRUE(plan.NextStep());
    EXPECT_EQ(plan.shares(), shares) << length << " tokens, " << threads << " threads";
    for (int share = 0; length % (shares * kRangeTokens) == 0 && share < shares; ++share) {
      ASSERT_EQ(plan.Jobs(share).size(), 1u);
      EXPECT_EQ(plan.Jobs(share)[0].begin, length / shares * share);
      EXPECT_EQ(plan.Jobs(share)[0].end, length / shares * (share + 1));
    }
  }
}

TEST(AttentionPlan, OneRowIsOneStepAndPromptsKeepToTheirMemory) {
  Tables tables;
  AttentionPlan one = PlanOf({tables.Slice(8192, 1)});
  EXPECT_TRUE(one.NextStep());
  EXPECT_FALSE(one.NextStep());
  AttentionPlan prompt = PlanOf({tables.Slice(65536, 64)});
  EXPECT_TRUE(prompt.NextStep());
  EXPECT_EQ(prompt.floats(), 0);
  EXPECT_FALSE(prompt.NextStep());
  // With heads for too few threads.
  prompt = PlanOf({tables.Slice(65536, 64)}, 64);
  int steps = 0;
  for (; prompt.NextStep(); ++steps) EXPECT_LE(prompt.floats(), kStepFloats + kRangeFloats);
  EXPECT_GT(steps, 50);
}

}  // namespace
}  // namespace bitfetch
