// SPDX-License-Identifier: Apache-2.0
// What a cache takes from the system, and what happens where there is no more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/sanitized.h"
#include "kv/kv_cache.h"
#include "kv/test_cache.h"

namespace bitfetch {
namespace {

// What the system gives beyond the tiles is less than a page (and 64 KiB with small ones), whatever
// the number of layers.
TEST(KvCache, MemoryUseIsItsBlocksAndGrowsInPlace) {
  for (const PageSize pages : {PageSize::k4K, PageSize::kHuge}) {
    const size_t step = pages == PageSize::kHuge ? kHugePageBytes : 64 << 10;
    auto config = SmallConfig({}, 1 << 20);
    config.pages = pages;
    auto cache = KvCache::Create(config).value();
    EXPECT_EQ(cache.MappedBytes(), 0u);
    const std::vector<float> tokens(1000 * kTokenFloats, 3.0f);
    ASSERT_TRUE(cache.Append(0, 1, tokens.data(), tokens.data()));
    const std::byte* arena = cache.View(0)->arena;
    const size_t block_bytes = cache.View(0)->layout.block_bytes();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(cache.Append(0, 1000, tokens.data(), tokens.data()));
      const size_t blocks = (cache.length(0) + 15) / 16;
      EXPECT_GE(cache.MappedBytes(), blocks * block_bytes * kLayers);
      EXPECT_LT(cache.MappedBytes(), blocks * block_bytes * kLayers + step);
    }
    EXPECT_EQ(cache.View(0)->arena, arena);
  }
}

// The system refuses memory once the process has as much as its limit says. Not under the address
// sanitizer, which takes memory of its own and stops where it finds none.
size_t DataBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmData:")) return std::strtoull(line.c_str() + 7, nullptr, 10) * 1024;
  }
  return 0;
}

// An emulator may let the limit be set, and then not keep it.
bool MemoryIsLimited(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return true;
  munmap(memory, bytes);
  return false;
}

class DataLimit {
 public:
  explicit DataLimit(size_t more) {
    EXPECT_EQ(getrlimit(RLIMIT_DATA, &before_), 0);
    const rlimit limited{DataBytes() + more, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_DATA, &limited), 0);
  }
  ~DataLimit() { EXPECT_EQ(setrlimit(RLIMIT_DATA, &before_), 0); }

 private:
  rlimit before_;
};

TEST(KvCache, AFailedAllocationLosesNothing) {
  if (kIsSanitized) GTEST_SKIP() << "the sanitizer would end the program";
  std::mt19937 random(9);
  for (const PageSize pages : {PageSize::k4K, PageSize::kHuge}) {
    KvConfig config = SmallConfig({KvType::kQ8_0, KvType::kF32}, 1 << 20);
    config.pages = pages;
    Sequence sequence{KvCache::Create(config).value(), {}};
    sequence.tokens.resize(kLayers);
    Append(sequence, 0, 100, random);
    const std::vector<float> tokens(4000 * kTokenFloats);

    std::optional<DataLimit> limited(16 << 20);
    if (!MemoryIsLimited(size_t{64} << 20)) GTEST_SKIP() << "nothing limits memory here";
    Status status;
    while (status && sequence.cache.length(0) < (1 << 19)) {
      const int64_t held = sequence.cache.length(0);
      status = sequence.cache.Append(0, 4000, tokens.data(), tokens.data());
      ASSERT_EQ(sequence.cache.length(0), status ? held + 4000 : held);
    }
    config.limit = 1 << 26;
    const auto another = KvCache::Create(config);
    limited.reset();

    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, testing::HasSubstr("out of memory"));
    ASSERT_FALSE(another);
    EXPECT_EQ(another.error().message,
              "out of memory: no tables for a KV cache of 67108864 tokens");
    sequence.cache.Truncate(100);
    ExpectSame(sequence);
    Append(sequence, 0, 5000, random);
    ASSERT_EQ(sequence.cache.length(0), 5100);
    ExpectSame(sequence);
  }
}

// The system's refusal is an error, a pool without room is not; neither touches another sequence.
TEST(KvCache, AFailedReservationLeavesAllAsItWas) {
  if (kIsSanitized) GTEST_SKIP() << "the sanitizer would end the program";
  std::mt19937 random(10);
  const auto pool = BlockPool::Create(SmallConfig({KvType::kF32, KvType::kF32}, 1 << 20)).value();
  Sequence sequence{KvCache::Open(pool, 1 << 20).value(), {}};
  sequence.tokens.resize(kLayers);
  for (int layer = 0; layer < kLayers; ++layer) Append(sequence, layer, 40, random);
  const std::vector<int> tokens(40);
  sequence.cache.Publish(RootKey({}, {}, ""), tokens);
  KvCache other = KvCache::Open(pool, 1 << 20).value();
  ASSERT_EQ(other.Adopt(RootKey({}, {}, ""), tokens), 32);

  std::optional<DataLimit> limited(16 << 20);
  if (!MemoryIsLimited(size_t{64} << 20)) GTEST_SKIP() << "nothing limits memory here";
  const int64_t available = pool->Available();
  const Result<bool> reserved = other.Reserve(1 << 19);
  const int64_t left = pool->Available();
  limited.reset();

  ASSERT_FALSE(reserved);
  EXPECT_THAT(reserved.error().message, testing::HasSubstr("out of memory"));
  EXPECT_EQ(left, available);
  EXPECT_EQ(other.length(), 32);
  EXPECT_EQ(pool->index().size(), 2u);
  ExpectSame(sequence);
  EXPECT_TRUE(other.Reserve(1 << 19).value());
}

TEST(KvCache, WithoutAddressSpaceThereIsAnErrorNotACache) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit limited{size_t{4} << 30, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limited), 0);
  const auto cache = KvCache::Create(SmallConfig({}, int64_t{1} << 28));
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_FALSE(cache);
  EXPECT_THAT(cache.error().message, testing::HasSubstr("cannot reserve"));
}

}  // namespace
}  // namespace bitfetch
