// SPDX-License-Identifier: Apache-2.0
#include "tier/block_writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace bitfetch {
namespace {

// Takes nothing before it may.
class HeldStore final : public BlockStore {
 public:
  int64_t Count(std::span<const BlockKey>) override { return 0; }
  size_t Ahead(size_t) const override { return 1; }
  Status Read(std::span<const BlockKey>, std::span<std::byte* const>, size_t,
              FunctionRef<bool()>) override {
    return {};
  }
  Status Write(const BlockName&, std::span<const std::byte> block) override {
    ++begun;
    begun.notify_all();
    held.wait(true);
    written += block.size();
    return {};
  }
  void Touch(std::span<const BlockKey> keys) override { touched += keys.size(); }

  void AwaitBegin() const { begun.wait(0); }
  void LetGo() {
    held = false;
    held.notify_all();
  }

  std::atomic<bool> held = true;
  std::atomic<int> begun = 0;
  std::atomic<size_t> written = 0, touched = 0;
};

TEST(BlockWriter, WhatWaitsIsBoundedWhateverItIs) {
  constexpr size_t kKeys = 10'000;
  constexpr size_t kTouches = 2 * BlockWriter::kMaxWaitingBytes / (kKeys * sizeof(BlockKey));
  HeldStore store;
  {
    BlockWriter writer(store);
    const std::vector<std::byte> block(1 << 20);
    ASSERT_TRUE(writer.Offer({}, block));
    store.AwaitBegin();
    for (size_t i = 0; i < kTouches; ++i) writer.Touch(std::vector<BlockKey>(kKeys));
    EXPECT_FALSE(writer.Offer({}, block));
    store.LetGo();
  }
  EXPECT_EQ(store.written, size_t{1} << 20);
  EXPECT_GT(store.touched, kTouches / 3 * kKeys);
  EXPECT_LE(store.touched * sizeof(BlockKey), BlockWriter::kMaxWaitingBytes);
}

// A store that takes its time holds nobody up, and loses nothing that was taken.
TEST(BlockWriter, ABlockThatIsTooMuchIsRefusedOrWaitedFor) {
  HeldStore store;
  const std::vector<std::byte> large(BlockWriter::kMaxWaitingBytes);
  {
    BlockWriter writer(store);
    ASSERT_TRUE(writer.Offer({}, large));
    store.AwaitBegin();
    EXPECT_FALSE(writer.Offer({}, std::vector<std::byte>(1)));
    auto taken =
        std::async(std::launch::async, [&] { writer.Take({}, std::vector<std::byte>(7)); });
    EXPECT_EQ(taken.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    store.LetGo();
    taken.get();
  }
  EXPECT_EQ(store.written, large.size() + 7);
}

}  // namespace
}  // namespace bitfetch
