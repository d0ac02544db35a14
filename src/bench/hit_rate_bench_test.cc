// SPDX-License-Identifier: Apache-2.0
#include "bench/hit_rate_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>

#include "base/temp_dir.h"
#include "bench/conversations.h"
#include "kv/tile.h"

namespace bitfetch {
namespace {

TEST(Conversations, AreTheSameEachTimeAndWhatTheHeaderSays) {
  const Conversations all = MakeConversations(400);
  EXPECT_EQ(all.tokens, MakeConversations(400).tokens);
  ASSERT_EQ(all.tokens.size(), 400u);
  std::vector<int64_t> before(400, 0);
  int changes = 0;
  for (size_t i = 0; i < all.turns.size(); ++i) {
    const ConversationTurn& turn = all.turns[i];
    const int64_t message = turn.prompt_tokens - before[turn.conversation];
    EXPECT_GE(message, 8);
    EXPECT_LE(message, before[turn.conversation] == 0 ? 2048 + 512 : 512);
    EXPECT_GE(turn.tokens - turn.prompt_tokens, 32);
    EXPECT_LE(turn.tokens - turn.prompt_tokens, 1024);
    EXPECT_LE(turn.tokens, Conversations::kMaxTokens);
    before[turn.conversation] = turn.tokens;
    if (i > 0 && all.turns[i - 1].conversation != turn.conversation) ++changes;
  }
  for (size_t i = 0; i < 400; ++i) EXPECT_EQ(before[i], std::ssize(all.tokens[i]));
  const double turns = static_cast<double>(all.turns.size()) / 400;
  EXPECT_GT(turns, 3.2);
  EXPECT_LT(turns, 4.8);
  EXPECT_GT(changes, 0.9 * static_cast<double>(all.turns.size())) << "hardly any are interleaved";
  std::set<std::vector<int>> beginnings;
  for (const std::vector<int>& tokens : all.tokens) {
    beginnings.insert({tokens.begin(), tokens.begin() + 16});
  }
  EXPECT_EQ(beginnings.size(), 16u) << "system prompts";
}

// Of prompts, where everything is kept: whole blocks of what a prompt has in common with a text
// before it.
int64_t TokensMetBefore(const Conversations& all) {
  std::vector<std::span<const int>> before;
  int64_t tokens = 0;
  for (const ConversationTurn& turn : all.turns) {
    const std::span<const int> text = std::span(all.tokens[turn.conversation]).first(turn.tokens);
    const std::span<const int> prompt = text.first(turn.prompt_tokens - 1);
    int64_t common = 0;
    for (const std::span<const int> other : before) {
      common = std::max(common, std::ranges::mismatch(prompt, other).in1 - prompt.begin());
    }
    tokens += common / kTileTokens * kTileTokens;
    before.push_back(text);
  }
  return tokens;
}

std::vector<HitRateBenchRow> Rows(const HitRateBenchOptions& options) {
  std::vector<HitRateBenchRow> rows;
  const Status status =
      BenchHitRate(options, [&](const HitRateBenchRow& row, int64_t, int64_t) -> Status {
        rows.push_back(row);
        return {};
      });
  EXPECT_TRUE(status) << status.error().message;
  return rows;
}

TEST(HitRateBench, AllThatWasMetIsFoundWhereThereIsRoom) {
  const TempDir folder;
  constexpr int64_t kAll = 1 << 20;
  HitRateBenchOptions options{.conversations = 12, .cache_dir = folder.path()};
  const int64_t met = TokensMetBefore(MakeConversations(options.conversations));
  options.ram_tokens = {Conversations::kMaxTokens, kAll};
  options.disk_tokens = {0};
  const std::vector<HitRateBenchRow> ram = Rows(options);
  ASSERT_EQ(ram.size(), 2u);
  EXPECT_LT(ram[0].from_ram, met);
  EXPECT_EQ(ram[0].from_disk, 0);
  EXPECT_EQ(ram[1].from_ram, met);

  options.ram_tokens = {Conversations::kMaxTokens};
  options.disk_tokens = {Conversations::kMaxTokens, kAll};
  const std::vector<HitRateBenchRow> disk = Rows(options);
  ASSERT_EQ(disk.size(), 2u);
  for (const HitRateBenchRow& row : disk) EXPECT_EQ(row.from_ram, ram[0].from_ram);
  EXPECT_LT(disk[0].from_disk, disk[1].from_disk);
  EXPECT_EQ(disk[1].from_ram + disk[1].from_disk, met);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace bitfetch
