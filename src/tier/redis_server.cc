// SPDX-License-Identifier: Apache-2.0
#include "tier/redis_server.h"

#include "base/log.h"
#include "machine/clock.h"

namespace bitfetch {

bool RedisServer::IsAllowed() {
  const std::lock_guard lock(mutex_);
  return breaker_.Allows(NowNs() * 1e-9);
}

std::unique_ptr<RedisConnection> RedisServer::Take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<RedisConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  auto opened = RedisConnection::Open(address_, max_reply_bytes_,
                                      std::chrono::steady_clock::now() + limits_.connect);
  if (opened) return *std::move(opened);
  GiveUp(opened.error());
  return nullptr;
}

void RedisServer::GiveBack(std::unique_ptr<RedisConnection> connection) {
  const std::lock_guard lock(mutex_);
  if (connection->waiting() == 0) idle_.push_back(std::move(connection));
  if (breaker_.Succeeded()) Warn("{}: answers again, and is used for KV", name_);
}

void RedisServer::GiveUp(const Error& error) {
  ++faults_;
  const std::lock_guard lock(mutex_);
  idle_.clear();  // they are older than the failure, and most likely as dead
  if (breaker_.Failed(NowNs() * 1e-9)) {
    Warn("{}: {}: KV is computed meanwhile", name_, error.message);
  }
}

}  // namespace bitfetch
