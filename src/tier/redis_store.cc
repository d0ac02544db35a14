// SPDX-License-Identifier: Apache-2.0
#include "tier/redis_store.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "machine/clock.h"

namespace bitfetch {
namespace {

std::string NameOf(const BlockKey& key) { return "bitfetch:kv:" + HexOf(key.digest); }

// The block of a record that Redis has under this key. Errors: what is wrong with it.
Status TakeRecord(const redisReply& reply, const BlockKey& key, std::span<std::byte> block) {
  if (reply.type != REDIS_REPLY_STRING) return Fail("it is no string");
  BITFETCH_RETURN_IF_ERROR(CheckRecordBytes(reply.len, block.size()));
  RecordHeader header;
  std::memcpy(block.data(), reply.str, block.size());
  std::memcpy(header.data(), reply.str + block.size(), header.size());
  return CheckRecord(header, block, key);
}

}  // namespace

// Commands about keys to the servers that have them, and their replies in the same order. In the
// end the connections to those that answered are given back.
class RedisStore::Call {
 public:
  explicit Call(RedisStore& store) : store_(store) {}
  ~Call() {
    for (auto& [server, connection] : connections_) {
      if (connection != nullptr) server->GiveBack(std::move(connection));
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The first in the key's order that takes commands now; null: there is none. What was allowed
  // once is for the whole call.
  RedisServer* ServerOf(const BlockKey& key) const {
    for (RedisServer* server : store_.OrderOf(key)) {
      const auto used = connections_.find(server);
      if (used != connections_.end() ? used->second != nullptr : server->IsAllowed()) return server;
    }
    return nullptr;
  }

  // False: it fails.
  bool Send(RedisServer* server, std::initializer_list<std::string_view> words) {
    if (!connections_.contains(server)) connections_[server] = server->Take();
    RedisConnection* connection = connections_[server].get();
    if (connection == nullptr) return false;
    if (const Status sent = connection->Send(words, deadline_); !sent) {
      GiveUp(server, sent.error());
      return false;
    }
    asked_.push_back(server);
    return true;
  }

  // A command with the key's name alone, to its server. False: there is none, too.
  bool Send(const BlockKey& key, std::string_view command) {
    RedisServer* server = ServerOf(key);
    return server != nullptr && Send(server, {command, NameOf(key)});
  }

  // The reply to the first command that has none yet; null: the server does not answer. An error is
  // no answer, unless it is about the one key, or somebody `minds` what it says.
  RedisReply Receive(bool minds = false) {
    RedisServer* server = asked_[received_++];
    RedisConnection* connection = connections_[server].get();
    if (connection == nullptr) return nullptr;
    auto reply = connection->Receive(deadline_);
    minds |= reply && std::string_view((*reply)->str, (*reply)->len).starts_with("WRONGTYPE");
    const Status good = reply ? (minds ? Status() : CheckRedisReply(**reply))
                              : Status(tl::unexpected(reply.error()));
    if (good) return *std::move(reply);
    GiveUp(server, good.error());
    return nullptr;
  }

  RedisReply Ask(RedisServer* server, std::initializer_list<std::string_view> words,
                 bool minds = false) {
    return Send(server, words) ? Receive(minds) : nullptr;
  }

 private:
  void GiveUp(RedisServer* server, const Error& error) {
    server->GiveUp(error);
    connections_[server] = nullptr;
  }

  RedisStore& store_;
  const Deadline deadline_ = std::chrono::steady_clock::now() + store_.limits_.call;
  std::map<RedisServer*, std::unique_ptr<RedisConnection>> connections_;
  std::vector<RedisServer*> asked_;
  size_t received_ = 0;
};

RedisStore::RedisStore(const std::vector<RedisAddress>& addresses, size_t block_bytes,
                       const RedisLimits& limits)
    : limits_(limits) {
  for (const RedisAddress& address : addresses) {
    servers_.push_back(
        std::make_unique<RedisServer>(address, kRecordHeaderBytes + block_bytes, limits));
  }
}

// The servers' scores for a key are as good as random, and the same wherever they are asked for.
std::vector<RedisServer*> RedisStore::OrderOf(const BlockKey& key) const {
  std::vector<std::pair<uint64_t, RedisServer*>> scores;
  for (const auto& server : servers_) {
    const uint64_t score =
        XXH3_64bits_withSeed(key.digest.data(), key.digest.size(),
                             XXH3_64bits(server->name().data(), server->name().size()));
    scores.emplace_back(score, server.get());
  }
  std::ranges::sort(scores, std::greater());
  std::vector<RedisServer*> order;
  for (const auto& [score, server] : scores) order.push_back(server);
  return order;
}

int64_t RedisStore::Count(std::span<const BlockKey> keys) {
  Call call(*this);
  const Stopwatch time;
  int64_t sent = 0;
  while (sent < std::ssize(keys) && call.Send(keys[sent], "EXISTS")) ++sent;
  int64_t there = 0;
  bool is_missing = false;
  for (int64_t i = 0; i < sent; ++i) {
    const RedisReply reply = call.Receive();
    if (i == 0 && reply != nullptr) {
      const std::lock_guard lock(mutex_);
      speed_.AddLatency(time.Seconds());
    }
    is_missing |= reply == nullptr || reply->type != REDIS_REPLY_INTEGER || reply->integer != 1;
    if (!is_missing) ++there;
  }
  return there;
}

size_t RedisStore::Ahead(size_t block_bytes) const {
  const std::lock_guard lock(mutex_);
  return speed_.Ahead(static_cast<double>(block_bytes));
}

Status RedisStore::Read(std::span<const BlockKey> keys, std::span<std::byte* const> to,
                        size_t block_bytes, FunctionRef<bool()> arrived) {
  Call call(*this);
  const Stopwatch time;
  size_t sent = 0;
  while (sent < keys.size() && call.Send(keys[sent], "GET")) ++sent;
  for (size_t i = 0; i < sent; ++i) {
    const RedisReply reply = call.Receive();
    if (reply == nullptr || reply->type == REDIS_REPLY_NIL) return {};
    if (const Status taken = TakeRecord(*reply, keys[i], {to[i], block_bytes}); !taken) {
      if (Call remove(*this); remove.Send(keys[i], "DEL")) remove.Receive();
      return Fail("{}: {}", NameOf(keys[i]), taken.error().message);
    }
    if (!arrived()) return {};
  }
  if (sent > 0) {
    const std::lock_guard lock(mutex_);
    speed_.AddRead(time.Seconds(), static_cast<double>(sent * block_bytes));
  }
  return {};
}

Status RedisStore::Write(const BlockName& name, std::span<const std::byte> block) {
  Call call(*this);
  RedisServer* const server = call.ServerOf(name.key);
  if (server == nullptr) return {};
  const std::string key = NameOf(name.key), ttl = server->ttl();
  const RedisReply is_there = call.Ask(server, {"EXPIRE", key, ttl});
  if (is_there == nullptr || is_there->integer == 1) return {};
  const RecordHeader header = MakeRecordHeader(name, block);
  std::string record(header.size() + block.size(), '\0');
  std::memcpy(record.data(), block.data(), block.size());
  std::memcpy(record.data() + block.size(), header.data(), header.size());
  const RedisReply kept = call.Ask(server, {"SET", key, record, "EX", ttl}, /*minds=*/true);
  return kept == nullptr ? Status() : CheckRedisReply(*kept);
}

void RedisStore::Touch(std::span<const BlockKey> keys) {
  Call call(*this);
  size_t sent = 0;
  // EXPIRE counts as a use, for a Redis that drops what was used longest ago.
  for (; sent < keys.size(); ++sent) {
    const BlockKey& key = keys[keys.size() - 1 - sent];
    RedisServer* const server = call.ServerOf(key);
    if (server == nullptr || !call.Send(server, {"EXPIRE", NameOf(key), server->ttl()})) break;
  }
  for (; sent > 0; --sent) call.Receive();
}

int64_t RedisStore::faults() const {
  int64_t faults = 0;
  for (const auto& server : servers_) faults += server->faults();
  return faults;
}

}  // namespace bitfetch
