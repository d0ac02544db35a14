// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_REDIS_ADDRESS_H_
#define BITFETCH_TIER_REDIS_ADDRESS_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// Where a Redis listens, and who asks.
struct RedisAddress {
  static constexpr int kDefaultPort = 6379;
  static constexpr int kDefaultTtlSeconds = 7 * 24 * 3600;

  std::string host;
  int port = kDefaultPort;
  std::string user = {};
  std::string password = {};
  int db = 0;
  int ttl_seconds = kDefaultTtlSeconds;  // how long what nobody wants is kept

  // Without the password: for messages, and to tell servers apart.
  std::string Name() const;
};

// redis://[[user]:password@]host[:port][/db][?ttl=SECONDS], as IANA's registry of schemes has it
// but for `ttl`; one or several with commas between. What `user` and `password` can't hold as it is
// stands there as %XX. Errors never repeat a password.
Result<std::vector<RedisAddress>> ParseRedisAddresses(std::string_view text);

}  // namespace bitfetch

#endif  // BITFETCH_TIER_REDIS_ADDRESS_H_
