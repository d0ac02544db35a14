// SPDX-License-Identifier: Apache-2.0
// Pool, caches and index through a million random operations, beside the plainest things that do
// the same: who holds which block is counted anew after each, and prefixes are strings.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/test_effort.h"
#include "kv/kv_cache.h"
#include "kv/test_tiles.h"

namespace bitfetch {
namespace {

constexpr int kOperations = Rounds(1'000'000);
constexpr int64_t kBlocks = 24;
constexpr size_t kMaxSequences = 7;
constexpr int kPoolLayers = 2;
constexpr int kPoolDim = 16;
constexpr uint32_t kUnseen = UINT32_MAX;  // a block that was taken, of a number not yet seen
constexpr int64_t kHeld = -1;

struct Sharer {
  KvCache cache;
  std::string text;  // its salt, then a char for each token
  std::vector<uint32_t> table;
  int64_t reserved = 0;   // blocks behind those of the table
  int64_t published = 0;  // blocks, from the first

  int64_t length() const { return static_cast<int64_t>(text.size()) - 1; }
  std::string Prefix(int64_t blocks) const { return text.substr(0, 1 + blocks * 16); }
};

struct Published {
  uint32_t block;
  int64_t idle_since;  // or kHeld
};

BlockKey Root(char salt) { return RootKey({}, {}, {&salt, 1}); }

std::vector<int> Tokens(const std::string& text) { return {text.begin() + 1, text.end()}; }

// As in a model, what a token leaves follows from all tokens before it. Exact in f32.
float Mark(const std::string& text, int64_t token) {
  uint32_t mark = 1;
  for (int64_t i = 0; i <= token; ++i) mark = mark * 31 + text[1 + i];
  return static_cast<float>(mark >> 9);
}

class World {
 public:
  explicit World(BlockPlacement placement)
      : pool_(BlockPool::Create({.layers = kPoolLayers,
                                 .kv_heads = 1,
                                 .head_dim = kPoolDim,
                                 .types = {KvType::kF32, KvType::kF32},
                                 .limit = kBlocks * 16,
                                 .pages = PageSize::k4K,
                                 .placement = placement})
                  .value()) {}

  void Step() {
    const auto operation = random_() % 16;
    if (sequences_.empty() || operation == 0) return Open();
    const size_t at = random_() % sequences_.size();
    Sharer& sequence = sequences_[at];
    switch (operation) {
      case 1:
        return Close(at);
      case 2:
        return Fork(sequence);
      case 3:
        return Truncate(sequence, random_() % 200);
      case 4:
        return Truncate(sequence, std::max<int64_t>(sequence.length() - random_() % 20, 0));
      case 5:
        return Reserve(sequence);
      case 6:
        return HalfAPass(sequence);
      case 7:
      case 8:
      case 9:
        return Publish(sequence);
      case 10:
      case 11:
      case 12:
        return Adopt(sequence);
      default:
        return Append(sequence);
    }
  }

  // What is cheap to compare.
  void CheckCounts() {
    ASSERT_EQ(pool_->Available(), Available());
    ASSERT_EQ(pool_->index().size(), index_.size());
    ASSERT_EQ(static_cast<int64_t>(pool_->index().idle()), Idle());
    ASSERT_LE(pool_->MappedBytes(), (kBlocks * pool_->stride_bytes() + 65535) / 65536 * 65536);
  }

  void CheckAll() {
    for (const auto& [text, published] : index_) {
      ASSERT_EQ(pool_->index().Find(Key(text)), published.block);
      ASSERT_EQ(*pool_->index().KeyOf(published.block), Key(text));
      ASSERT_TRUE(text.size() == 17 || index_.contains(text.substr(0, text.size() - 16)))
          << "a child outlived its parent";
    }
    for (const Sharer& sequence : sequences_) {
      ASSERT_EQ(sequence.cache.length(), sequence.length());
      for (int layer = 0; layer < kPoolLayers; ++layer) {
        const KvView view = sequence.cache.View(layer).value();
        for (int64_t t = 0; t < sequence.length(); ++t) {
          const float mark = Mark(sequence.text, t) + static_cast<float>(layer);
          ASSERT_EQ(ReadKey(view, t, 0, 3), mark);
          ASSERT_EQ(ReadValue(view, t, 0, 15), -mark);
        }
      }
    }
  }

  // With all sequences gone, the pool gives out each block once, the idle ones in their order.
  void Drain() {
    while (!sequences_.empty()) Close(0);
    CheckCounts();
    ASSERT_EQ(pool_->Available(), kBlocks);
    std::map<int64_t, uint32_t> order;
    for (const auto& [text, published] : index_) order[published.idle_since] = published.block;
    std::vector<uint32_t> taken;
    for (int64_t i = 0; i < kBlocks; ++i) taken.push_back(pool_->Take().value().value());
    EXPECT_FALSE(pool_->Take().value());
    auto expected = taken.end() - static_cast<int64_t>(order.size());
    for (const auto& [since, block] : order) ASSERT_EQ(*expected++, block);
    EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), static_cast<size_t>(kBlocks));
    EXPECT_EQ(pool_->index().size(), 0u);
    for (const uint32_t block : taken) pool_->Release(block);
    EXPECT_EQ(pool_->Available(), kBlocks);
  }

  int adopted() const { return adopted_; }
  int joined() const { return joined_; }
  int evicted() const { return evicted_; }
  int unpublished() const { return unpublished_; }
  int refused() const { return refused_; }

 private:
  static BlockKey Key(const std::string& text) {
    const std::vector<int> tokens = Tokens(text);
    BlockKey key = Root(text[0]);
    for (size_t i = 0; i < tokens.size(); i += 16) {
      key = ChildKey(key, std::span(tokens).subspan(i).first<16>());
    }
    return key;
  }

  int Holders(uint32_t block) const {
    int holders = 0;
    for (const Sharer& sequence : sequences_) {
      holders += static_cast<int>(std::ranges::count(sequence.table, block));
    }
    return holders;
  }

  int64_t Available() const {
    std::set<uint32_t> held;
    int64_t unseen = 0;
    for (const Sharer& sequence : sequences_) {
      unseen += sequence.reserved;
      for (const uint32_t block : sequence.table) {
        if (block == kUnseen) {
          ++unseen;
        } else {
          held.insert(block);
        }
      }
    }
    // Parents of held blocks, which the holders may have in a copy of their own.
    for (const auto& [text, published] : index_) {
      if (published.idle_since == kHeld) held.insert(published.block);
    }
    return kBlocks - unseen - static_cast<int64_t>(held.size());
  }

  int64_t Idle() const {
    return std::ranges::count_if(index_,
                                 [](const auto& each) { return each.second.idle_since != kHeld; });
  }

  bool Indexed(uint32_t block) const {
    return std::ranges::any_of(index_,
                               [&](const auto& each) { return each.second.block == block; });
  }

  bool HasHeldChild(uint32_t block) const {
    return std::ranges::any_of(index_, [&](const auto& each) {
      const auto& [text, published] = each;
      const auto parent = index_.find(text.substr(0, text.size() - 16));
      return published.idle_since == kHeld && parent != index_.end() &&
             parent->second.block == block;
    });
  }

  // After a sequence let go of blocks, or took them: which nobody holds any more, children first.
  void NoteIdle() {
    std::set<std::string> held;  // and so are their parents
    std::for_each(index_.rbegin(), index_.rend(), [&](auto& each) {
      auto& [text, published] = each;
      if (held.contains(text) || Holders(published.block) > 0) {
        held.insert(text.substr(0, text.size() - 16));
        published.idle_since = kHeld;
      } else if (published.idle_since == kHeld) {
        published.idle_since = ++now_;
      }
    });
  }

  // `count` blocks go to a sequence: what must leave the index for that.
  void Evict(int64_t count) {
    for (int64_t free = Available() - Idle(); count > free; --count) {
      auto oldest = index_.end();
      for (auto it = index_.begin(); it != index_.end(); ++it) {
        if (it->second.idle_since == kHeld) continue;
        if (oldest == index_.end() || it->second.idle_since < oldest->second.idle_since) {
          oldest = it;
        }
      }
      ASSERT_NE(oldest, index_.end());
      index_.erase(oldest);
      ++evicted_;
    }
  }

  // Blocks for `count` more tokens. False: there are not so many, and nothing may change.
  bool Own(Sharer& sequence, int64_t count) {
    const int64_t held = static_cast<int64_t>(sequence.table.size()) + sequence.reserved;
    const int64_t fresh = std::max<int64_t>((sequence.length() + count + 15) / 16 - held, 0);
    const bool writes_last = sequence.length() % 16 != 0 && count > 0;
    const uint32_t last = writes_last ? sequence.table.back() : kUnseen;
    const bool others = writes_last && (Holders(last) > 1 || HasHeldChild(last));
    const int64_t needed = fresh + (others ? 1 : 0);
    EXPECT_EQ(sequence.cache.BlocksToAppend(count), needed);
    if (needed > Available()) {
      ++refused_;
      return false;
    }
    Evict(fresh);
    sequence.reserved += fresh;
    if (!others && !(writes_last && Indexed(last))) return true;
    if (!others && Available() == 0) {
      std::erase_if(index_, [&](const auto& each) { return each.second.block == last; });
      ++unpublished_;
      return true;
    }
    Evict(1);
    sequence.table.back() = kUnseen;
    NoteIdle();
    return true;
  }

  // Which blocks the cache took; nobody else may have them.
  void See(Sharer& sequence) {
    const KvView view = sequence.cache.View(0).value();
    for (int64_t i = 0; i < (view.length + 15) / 16; ++i) {
      const uint32_t block = view.blocks[i];
      if (i < static_cast<int64_t>(sequence.table.size()) && sequence.table[i] != kUnseen) {
        ASSERT_EQ(block, sequence.table[i]);
        continue;
      }
      ASSERT_LT(block, kBlocks);
      ASSERT_EQ(Holders(block), 0);
      ASSERT_FALSE(Indexed(block));
      if (i < static_cast<int64_t>(sequence.table.size())) {
        sequence.table[i] = block;
      } else {
        sequence.table.push_back(block);
        --sequence.reserved;
      }
    }
    ASSERT_GE(sequence.reserved, 0);
  }

  // Few tokens, so that sequences often go on alike.
  std::string MoreText(int64_t count) {
    std::string more(count, random_() % 4 == 0 ? 'b' : 'a');
    if (count > 0 && random_() % 8 == 0) more[random_() % count] = 'c';
    return more;
  }

  Status AppendLayer(Sharer& sequence, int layer, const std::string& more) {
    const std::string text = sequence.text + more;
    std::vector<float> k;
    std::vector<float> v;
    for (size_t i = 0; i < more.size(); ++i) {
      const float mark =
          Mark(text, sequence.length() + static_cast<int64_t>(i)) + static_cast<float>(layer);
      k.insert(k.end(), kPoolDim, mark);
      v.insert(v.end(), kPoolDim, -mark);
    }
    return sequence.cache.Append(layer, static_cast<int64_t>(more.size()), k.data(), v.data());
  }

  void Open() {
    if (sequences_.size() == kMaxSequences) return;
    auto cache = KvCache::Open(pool_, static_cast<int64_t>(1 + random_() % (kBlocks * 8)));
    const std::string salt(1, random_() % 4 == 0 ? 'B' : 'A');
    sequences_.push_back({.cache = *std::move(cache), .text = salt, .table = {}});
  }

  void Close(size_t at) {
    std::swap(sequences_[at], sequences_.back());
    sequences_.pop_back();
    NoteIdle();
  }

  void Fork(const Sharer& sequence) {
    if (sequences_.size() == kMaxSequences) return;
    Sharer fork{sequence.cache.Fork(), sequence.text, sequence.table, 0, sequence.published};
    sequences_.push_back(std::move(fork));
  }

  void Truncate(Sharer& sequence, int64_t length) {
    sequence.cache.Truncate(length);
    length = std::min(length, sequence.length());
    sequence.text.resize(1 + length);
    sequence.table.resize((length + 15) / 16);
    sequence.reserved = 0;
    sequence.published = std::min(sequence.published, length / 16);
    NoteIdle();
  }

  void Append(Sharer& sequence) {
    const std::string more = MoreText(random_() % 40);
    const auto count = static_cast<int64_t>(more.size());
    if (sequence.length() + count > sequence.cache.limit()) {
      ASSERT_FALSE(AppendLayer(sequence, 0, more));
      return;
    }
    const bool owned = Own(sequence, count);
    for (int layer = 0; layer < kPoolLayers; ++layer) {
      ASSERT_EQ(AppendLayer(sequence, layer, more).has_value(), owned);
    }
    if (!owned) return;
    sequence.text += more;
    See(sequence);
  }

  void Reserve(Sharer& sequence) {
    const auto count = static_cast<int64_t>(random_() % 64);
    const bool fits = sequence.length() + count <= sequence.cache.limit();
    const bool owned = fits && Own(sequence, count);
    const Result<bool> reserved = sequence.cache.Reserve(count);
    ASSERT_EQ(reserved.has_value(), fits);
    if (!fits) return;
    ASSERT_EQ(*reserved, owned);
    See(sequence);
  }

  // One layer has the tokens, then the pass is given up.
  void HalfAPass(Sharer& sequence) {
    const std::string more = MoreText(1 + random_() % 20);
    const auto count = static_cast<int64_t>(more.size());
    if (sequence.length() + count > sequence.cache.limit()) return;
    const bool owned = Own(sequence, count);
    ASSERT_EQ(AppendLayer(sequence, 1, more).has_value(), owned);
    if (owned) Truncate(sequence, sequence.length());
    See(sequence);
  }

  void Publish(Sharer& sequence) {
    // What is not stored yet is not published.
    sequence.cache.Publish(Root(sequence.text[0]), Tokens(sequence.text + MoreText(16)));
    for (int64_t& i = sequence.published; i < sequence.length() / 16; ++i) {
      const auto [known, is_new] =
          index_.try_emplace(sequence.Prefix(i + 1), Published{sequence.table[i], kHeld});
      if (!is_new && sequence.table[i] != known->second.block) ++joined_;
      sequence.table[i] = known->second.block;
    }
    NoteIdle();
    See(sequence);
  }

  void Adopt(Sharer& sequence) {
    const std::string text = sequence.text + MoreText(random_() % 100);
    const int64_t adopted = sequence.cache.Adopt(Root(text[0]), Tokens(text));
    if (sequence.length() != sequence.published * 16) {
      ASSERT_EQ(adopted, 0);
      return;
    }
    sequence.reserved = 0;
    const int64_t before = sequence.length();
    const auto full =
        std::min<int64_t>(static_cast<int64_t>(text.size()) - 1, sequence.cache.limit()) / 16;
    while (sequence.published < full) {
      const auto known = index_.find(text.substr(0, 1 + (sequence.published + 1) * 16));
      if (known == index_.end()) break;
      sequence.table.push_back(known->second.block);
      ++sequence.published;
      ++adopted_;
    }
    sequence.text = text.substr(0, 1 + sequence.published * 16);
    ASSERT_EQ(adopted, sequence.length() - before);
    NoteIdle();
    See(sequence);
  }

  std::mt19937 random_{5};
  std::shared_ptr<BlockPool> pool_;
  std::vector<Sharer> sequences_;
  std::map<std::string, Published> index_;  // by salt and tokens
  int64_t now_ = 0;
  int adopted_ = 0;
  int joined_ = 0;
  int evicted_ = 0;
  int unpublished_ = 0;
  int refused_ = 0;
};

TEST(KvSharing, ActsLikeStringsAndLists) {
  for (const BlockPlacement placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    World world(placement);
    for (int i = 0; i < kOperations / 2; ++i) {
      world.Step();
      world.CheckCounts();
      if (i % 64 == 0) world.CheckAll();
      if (testing::Test::HasFailure()) FAIL() << "operation " << i;
    }
    world.Drain();
    // That much of everything happened.
    EXPECT_GT(world.adopted(), kOperations / 100);
    EXPECT_GT(world.joined(), kOperations / 100);
    EXPECT_GT(world.evicted(), kOperations / 100);
    EXPECT_GT(world.refused(), kOperations / 1000);
    EXPECT_GT(world.unpublished(), kOperations / 10000);
  }
}

}  // namespace
}  // namespace bitfetch
