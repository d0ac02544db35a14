// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_REDIS_SERVER_H_
#define BITFETCH_TIER_REDIS_SERVER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tier/circuit_breaker.h"
#include "tier/redis_connection.h"

namespace bitfetch {

// What a call may take in all: longer than that, computing is faster.
struct RedisLimits {
  std::chrono::milliseconds connect{1000};
  std::chrono::milliseconds call{5000};
};

// One Redis, with connections that are used again. One that fails is said once, and left alone
// until it may have healed (CircuitBreaker). Any thread may use it.
class RedisServer {
 public:
  RedisServer(RedisAddress address, size_t max_reply_bytes, const RedisLimits& limits)
      : address_(std::move(address)),
        name_(address_.Name()),
        max_reply_bytes_(max_reply_bytes),
        limits_(limits) {}

  // Whether a connection may be asked for now. Who may and gives none back or up keeps others from
  // it for a while.
  bool IsAllowed();

  // A connection for one caller, who gives it back or up; null: there is none.
  std::unique_ptr<RedisConnection> Take();
  // After it answered. One with commands that have no reply yet is closed.
  void GiveBack(std::unique_ptr<RedisConnection> connection);
  // After it failed.
  void GiveUp(const Error& error);

  std::string ttl() const { return std::to_string(address_.ttl_seconds); }
  const std::string& name() const { return name_; }
  int64_t faults() const { return faults_; }

 private:
  const RedisAddress address_;
  const std::string name_;
  const size_t max_reply_bytes_;
  const RedisLimits limits_;
  std::atomic<int64_t> faults_ = 0;
  std::mutex mutex_;
  CircuitBreaker breaker_;
  std::vector<std::unique_ptr<RedisConnection>> idle_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_REDIS_SERVER_H_
