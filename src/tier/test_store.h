// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_TEST_STORE_H_
#define BITFETCH_TIER_TEST_STORE_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "tier/block_store.h"

namespace bitfetch {

// For tests: a store in memory that takes so long for each answer and each block.
class TestStore final : public BlockStore {
 public:
  int64_t Count(std::span<const BlockKey> keys) override {
    ++counts;
    hangs_.wait(true);
    Sleep(latency_ms);
    const std::lock_guard lock(mutex_);
    return std::ranges::find_if(
               keys, [&](const BlockKey& key) { return !blocks_.contains(key.digest); }) -
           keys.begin();
  }
  size_t Ahead(size_t) const override { return 4; }
  Status Read(std::span<const BlockKey> keys, std::span<std::byte* const> to, size_t block_bytes,
              FunctionRef<bool()> arrived) override {
    for (size_t i = 0; i < keys.size(); ++i) {
      Sleep(block_ms);
      std::vector<std::byte> block;
      {
        const std::lock_guard lock(mutex_);
        const auto found = blocks_.find(keys[i].digest);
        if (found == blocks_.end()) return {};
        block = found->second;
      }
      std::copy_n(block.begin(), block_bytes, to[i]);
      if (!arrived()) break;
    }
    return {};
  }
  Status Write(const BlockName& name, std::span<const std::byte> block) override {
    const std::lock_guard lock(mutex_);
    blocks_[name.key.digest].assign(block.begin(), block.end());
    return {};
  }
  void Touch(std::span<const BlockKey>) override {}

  void Remove(const BlockKey& key) {
    const std::lock_guard lock(mutex_);
    blocks_.erase(key.digest);
  }

  // Whether it answers no question.
  void Hang(bool hangs) {
    hangs_ = hangs;
    hangs_.notify_all();
  }
  bool Hangs() const { return hangs_; }

  std::atomic<int> latency_ms = 0;
  std::atomic<int> block_ms = 0;
  std::atomic<int> counts = 0;

 private:
  static void Sleep(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

  std::atomic<bool> hangs_ = false;
  std::mutex mutex_;
  std::map<Digest, std::vector<std::byte>> blocks_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_TEST_STORE_H_
