// SPDX-License-Identifier: Apache-2.0
#include "tier/redis_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "machine/clock.h"
#include "tier/test_blocks.h"
#include "tier/test_redis.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

constexpr size_t kValueBytes = 1000;

// How many of the chain's first blocks the store reads, all of them right.
size_t ReadChain(BlockStore& store, std::span<const TestBlock> chain) {
  const std::vector<BlockKey> keys = KeysOf(chain);
  std::vector<std::byte> bytes(chain.size() * kValueBytes);
  std::vector<std::byte*> to;
  for (size_t i = 0; i < chain.size(); ++i) to.push_back(bytes.data() + i * kValueBytes);
  size_t arrived = 0;
  const Status read = store.Read(keys, to, kValueBytes, [&] { return ++arrived > 0; });
  for (size_t i = 0; i < arrived; ++i) {
    EXPECT_TRUE(std::equal(to[i], to[i] + kValueBytes, chain[i].bytes.begin()));
  }
  return arrived;
}

void WriteChain(BlockStore& store, std::span<const TestBlock> chain) {
  for (const TestBlock& block : chain) EXPECT_TRUE(store.Write(block.name, block.bytes));
}

// A word with a server of Redis, beside the store.
RedisReply Ask(const TestRedis& redis, std::initializer_list<std::string_view> words) {
  const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  return RedisConnection::Open(redis.address(), 1 << 20, soon).value()->Ask(words, soon).value();
}

std::string NameOf(const TestBlock& block) { return "bitfetch:kv:" + HexOf(block.name.key.digest); }

TEST(RedisStore, GivesBackWhatItWasGivenAlsoToOthers) {
  const TestRedis redis;
  const std::vector<TestBlock> chain = TestChain(40, kValueBytes, 1);
  RedisStore first({redis.address()}, kValueBytes);
  EXPECT_EQ(first.Count(KeysOf(chain)), 0);
  EXPECT_EQ(ReadChain(first, chain), 0u);
  WriteChain(first, std::span(chain).first(30));
  RedisStore second({redis.address()}, kValueBytes);
  EXPECT_EQ(second.Count(KeysOf(chain)), 30);
  EXPECT_EQ(ReadChain(second, chain), 30u);
  EXPECT_EQ(ReadChain(second, std::span(chain).subspan(25)), 5u);
  EXPECT_EQ(first.faults() + second.faults(), 0);
}

TEST(RedisStore, WhatIsThereIsNotWrittenAgainAndStaysAsLongAsItIsWanted) {
  const TestRedis redis;
  RedisAddress address = redis.address();
  address.ttl_seconds = 1000;
  RedisStore store({address}, kValueBytes);
  const TestBlock block = TestChain(1, kValueBytes, 1).front();
  const auto ttl = [&] { return Ask(redis, {"TTL", NameOf(block)})->integer; };
  const auto age = [&] { Ask(redis, {"EXPIRE", NameOf(block), "10"}); };
  WriteChain(store, {&block, 1});
  EXPECT_NEAR(static_cast<double>(ttl()), 1000, 5);
  age();
  WriteChain(store, {&block, 1});
  EXPECT_NEAR(static_cast<double>(ttl()), 1000, 5);
  age();
  store.Touch({&block.name.key, 1});
  EXPECT_NEAR(static_cast<double>(ttl()), 1000, 5);
}

// Against a set of keys in memory.
TEST(RedisStore, HasWhatAModelSays) {
  const TestRedis redis;
  const std::vector<TestBlock> chain = TestChain(50, kValueBytes, 3);
  std::mt19937 random(1);
  std::set<size_t> has;
  RedisStore store({redis.address()}, kValueBytes);
  for (int round = 0; round < 500; ++round) {
    const size_t i = random() % chain.size();
    const size_t count = 1 + random() % (chain.size() - i);
    size_t there = 0;
    while (there < count && has.contains(i + there)) ++there;
    switch (random() % 4) {
      case 0:
        WriteChain(store, {&chain[i], 1});
        has.insert(i);
        break;
      case 1:
        Ask(redis, {"DEL", NameOf(chain[i])});  // as one that is full drops them
        has.erase(i);
        break;
      case 2:
        ASSERT_EQ(store.Count(KeysOf(std::span(chain).subspan(i, count))),
                  static_cast<int64_t>(there));
        break;
      default:
        ASSERT_EQ(ReadChain(store, std::span(chain).subspan(i, count)), there);
    }
  }
  EXPECT_EQ(store.faults(), 0);
}

TEST(RedisStore, AFullOneThatDropsKeepsWorking) {
  const TestRedis redis({"--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru"});
  const std::vector<TestBlock> chain = TestChain(3000, kValueBytes, 4);
  RedisStore store({redis.address()}, kValueBytes);
  WriteChain(store, chain);
  int there = 0;
  for (const TestBlock& block : chain) {
    if (const auto read = ReadBlock(store, block)) {
      ++there;
      ASSERT_EQ(*read, block.bytes);
    }
  }
  EXPECT_GT(there, 100);
  EXPECT_LT(there, 2900);
  EXPECT_EQ(store.faults(), 0);
}

TEST(RedisStore, AFullOneThatRefusesSaysSo) {
  const TestRedis redis({"--maxmemory", "1"});
  const TestBlock block = TestChain(1, kValueBytes, 5).front();
  RedisStore store({redis.address()}, kValueBytes);
  EXPECT_THAT(store.Write(block.name, block.bytes).error().message, HasSubstr("OOM"));
  EXPECT_EQ(store.Count({&block.name.key, 1}), 0);
  EXPECT_EQ(store.faults(), 0);
}

TEST(RedisStore, WhatIsDamagedIsNeverReadAndRemovedWhenMet) {
  const TestRedis redis;
  const std::vector<TestBlock> chain = TestChain(2, kValueBytes, 6);
  RedisStore store({redis.address()}, kValueBytes);
  WriteChain(store, chain);
  const RedisReply reply = Ask(redis, {"GET", NameOf(chain[0])});
  const std::string good(reply->str, reply->len);
  const auto damaged = [&](const std::string& value) {
    Ask(redis, {"SET", NameOf(chain[0]), value});
    Status read;
    EXPECT_EQ(ReadBlock(store, chain[0], &read), std::nullopt);
    EXPECT_EQ(Ask(redis, {"EXISTS", NameOf(chain[0])})->integer, 0);
    return read ? "read" : read.error().message;
  };
  EXPECT_THAT(damaged(good.substr(0, 700)), HasSubstr("it has 700 bytes where 1256 belong"));
  EXPECT_THAT(damaged(good + "x"), HasSubstr("1257"));
  EXPECT_THAT(damaged(""), HasSubstr("0 bytes"));
  const RedisReply other = Ask(redis, {"GET", NameOf(chain[1])});
  EXPECT_THAT(damaged({other->str, other->len}), HasSubstr("another block's"));
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 16);
    EXPECT_NE(damaged(flipped), "read");
  }
  Ask(redis, {"LPUSH", NameOf(chain[0]), "x"});
  Status read;
  EXPECT_EQ(ReadBlock(store, chain[0], &read), std::nullopt);
  EXPECT_THAT(read.error().message, HasSubstr("it is no string"));
  WriteChain(store, chain);
  EXPECT_EQ(ReadChain(store, chain), 2u);
  EXPECT_EQ(store.faults(), 0);
}

TEST(RedisStore, NeedsTheRightPassword) {
  const TestRedis redis({"--user", "default", "on", ">secret", "~*", "+@all", "--user", "kv", "on",
                         ">other", "~bitfetch:*", "+@all"});
  const TestBlock block = TestChain(1, kValueBytes, 7).front();
  const auto written = [&](const std::string& user, const std::string& password) {
    RedisAddress address = redis.address();
    address.user = user;
    address.password = password;
    address.db = 5;
    RedisStore store({address}, kValueBytes);
    EXPECT_TRUE(store.Write(block.name, block.bytes));
    return ReadBlock(store, block).has_value();
  };
  testing::internal::CaptureStderr();
  EXPECT_FALSE(written("", ""));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::AllOf(HasSubstr("NOAUTH"), HasSubstr("KV is computed meanwhile")));
  testing::internal::CaptureStderr();
  EXPECT_FALSE(written("kv", "wrong"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("WRONGPASS"));
  EXPECT_TRUE(written("", "secret"));
  EXPECT_TRUE(written("kv", "other"));
}

TEST(RedisStore, WhenOneOfSeveralDiesItsKeysMoveAlone) {
  TestRedis a, b, c;
  const std::vector<TestBlock> chain = TestChain(90, kValueBytes, 8);
  RedisStore store({a.address(), b.address(), c.address()}, kValueBytes);
  WriteChain(store, chain);
  EXPECT_EQ(ReadChain(store, chain), 90u);
  for (const TestRedis* redis : {&a, &b, &c}) {
    const int64_t keys = Ask(*redis, {"DBSIZE"})->integer;
    EXPECT_GT(keys, 10);
    EXPECT_LT(keys, 60);
  }
  const int64_t lost = Ask(b, {"DBSIZE"})->integer;
  b.Kill();
  testing::internal::CaptureStderr();
  ReadChain(store, chain);  // meets it
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("KV is computed meanwhile"));
  int64_t there = 0;
  for (const TestBlock& block : chain) there += store.Count({&block.name.key, 1});
  EXPECT_EQ(there, 90 - lost);
  // Another process, which lists them in another order, finds what is left in the same places.
  RedisStore other({c.address(), b.address(), a.address()}, kValueBytes);
  WriteChain(other, chain);
  WriteChain(other, chain);  // what met the dead one is kept now
  EXPECT_EQ(Ask(a, {"DBSIZE"})->integer + Ask(c, {"DBSIZE"})->integer, 90);
}

TEST(RedisStore, IsUsedAgainWhenItHasHealed) {
  TestRedis redis;
  const std::vector<TestBlock> chain = TestChain(3, kValueBytes, 9);
  RedisStore store({redis.address()}, kValueBytes);
  WriteChain(store, chain);
  redis.Kill();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ReadChain(store, chain), 0u);
  EXPECT_TRUE(store.Write(chain[0].name, chain[0].bytes));
  EXPECT_EQ(store.faults(), 1);  // the others did not try
  redis.Start();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  WriteChain(store, chain);
  WriteChain(store, chain);
  EXPECT_EQ(ReadChain(store, chain), 3u);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("answers again"));
  EXPECT_EQ(std::ranges::count(said, '\n'), 2);
}

// The one call that may try it does all that it wants to.
TEST(RedisStore, TheFirstCallAfterItHasHealedIsWhole) {
  TestRedis redis;
  const std::vector<TestBlock> chain = TestChain(6, kValueBytes, 14);
  RedisStore store({redis.address()}, kValueBytes);
  WriteChain(store, std::span(chain).first(5));
  testing::internal::CaptureStderr();
  redis.Kill();
  EXPECT_EQ(store.Count(KeysOf(chain)), 0);
  redis.Start();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  WriteChain(store, {&chain[5], 1});
  EXPECT_EQ(ReadBlock(store, chain[5]), chain[5].bytes);
  testing::internal::GetCapturedStderr();
}

TEST(RedisStore, EachOfSeveralHasItsOwnTtl) {
  const TestRedis a, b;
  RedisAddress first = a.address(), second = b.address();
  first.ttl_seconds = 1000;
  second.ttl_seconds = 5000;
  RedisStore store({first, second}, kValueBytes);
  const std::vector<TestBlock> chain = TestChain(20, kValueBytes, 15);
  WriteChain(store, chain);
  store.Touch(KeysOf(chain));
  for (const TestBlock& block : chain) {
    const auto of_a = Ask(a, {"TTL", NameOf(block)})->integer;
    const auto of_b = Ask(b, {"TTL", NameOf(block)})->integer;
    EXPECT_TRUE((of_b == -2 && of_a > 900 && of_a <= 1000) ||
                (of_a == -2 && of_b > 4900 && of_b <= 5000))
        << of_a << " " << of_b;
  }
}

// One that is stopped in the middle, and one that is slow without end, cost their time limit.
TEST(RedisStore, OneThatDoesNotAnswerIsGivenUpInTime) {
  TestRedis redis;
  const std::vector<TestBlock> chain = TestChain(3, kValueBytes, 10);
  RedisStore store(
      {redis.address()}, kValueBytes,
      {.connect = std::chrono::milliseconds(200), .call = std::chrono::milliseconds(200)});
  WriteChain(store, chain);
  redis.Stop();
  testing::internal::CaptureStderr();
  const Stopwatch time;
  EXPECT_EQ(ReadChain(store, chain), 0u);
  EXPECT_EQ(store.Count(KeysOf(chain)), 0);
  EXPECT_TRUE(store.Write(chain[0].name, chain[0].bytes));
  EXPECT_GE(time.Seconds(), 0.19);
  EXPECT_EQ(store.faults(), 1);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("does not answer in time"));
  redis.GoOn();
}

// Whatever a server answers, what is read is right or nothing.
TEST(RedisStore, OneThatAnswersNonsenseHasNothing) {
  const TestBlock block = TestChain(1, kValueBytes, 11).front();
  const std::string half = "$1256\r\n" + std::string(600, 'x');
  const std::string nonsense[] = {"hello\r\n",
                                  "\r\n\r\n",
                                  "$5\r\nab",
                                  half,
                                  "$-7\r\n",
                                  "$99999999999999999999\r\n",
                                  "*2147483647\r\n",
                                  "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
                                  "-ERR no\r\n",
                                  "+OK\r\n",
                                  ":1\r\n",
                                  "$1256\r\n" + std::string(1256, 'x') + "\r\n",
                                  std::string(1000, '\0')};
  testing::internal::CaptureStderr();
  for (const std::string& answer : nonsense) {
    for (const bool hangs_up : {false, true}) {
      const TestServer server([&](std::string_view, std::string* out) {
        *out = answer;
        return !hangs_up;
      });
      RedisStore store({{.host = "127.0.0.1", .port = server.port()}}, kValueBytes,
                       {.connect = std::chrono::seconds(1), .call = std::chrono::milliseconds(50)});
      EXPECT_EQ(ReadBlock(store, block), std::nullopt) << answer;
      static_cast<void>(store.Write(block.name, block.bytes));
      store.Touch({&block.name.key, 1});
    }
  }
  testing::internal::GetCapturedStderr();
}

// No more is taken in than was asked for, and no longer than the limit.
TEST(RedisStore, OneThatNeverEndsIsCutOff) {
  const TestBlock block = TestChain(1, kValueBytes, 12).front();
  const TestServer server([](std::string_view, std::string* out) {
    *out = "$999999999\r\n" + std::string(8 << 20, 'x');
    return true;
  });
  testing::internal::CaptureStderr();
  RedisStore store({{.host = "127.0.0.1", .port = server.port()}}, kValueBytes);
  EXPECT_EQ(ReadBlock(store, block), std::nullopt);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("more than was asked for"));
}

TEST(RedisStore, ManyThreadsReadWhileOneWrites) {
  const TestRedis redis;
  const std::vector<TestBlock> chain = TestChain(60, kValueBytes, 13);
  RedisStore store({redis.address()}, kValueBytes);
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      for (int i = 0; i < 30; ++i) {
        store.Count(KeysOf(chain));
        ReadChain(store, chain);
      }
    });
  }
  WriteChain(store, chain);
  store.Touch(KeysOf(chain));
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(ReadChain(store, chain), 60u);
  EXPECT_EQ(store.faults(), 0);
}

}  // namespace
}  // namespace bitfetch
