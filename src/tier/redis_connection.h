// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_REDIS_CONNECTION_H_
#define BITFETCH_TIER_REDIS_CONNECTION_H_

#include <hiredis/hiredis.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tier/redis_address.h"

namespace bitfetch {

using Deadline = std::chrono::steady_clock::time_point;

struct FreeRedisReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using RedisReply = std::unique_ptr<redisReply, FreeRedisReply>;

// A connection to a Redis: commands go out, and their replies come back in the same order. hiredis
// words and reads them; what goes over the socket is ours, since hiredis's time limit begins anew
// with every byte, it buffers whatever comes, and a server that hangs up ends the process
// (SIGPIPE).
//
// After an error the connection is of no use any more.
class RedisConnection {
 public:
  // Connects, and says who asks. No reply may be longer than `max_reply_bytes`. Errors: the
  // system's, the server's, the deadline.
  static Result<std::unique_ptr<RedisConnection>> Open(const RedisAddress& address,
                                                       size_t max_reply_bytes, Deadline deadline);

  // Sends a command. Errors: the system's, the deadline.
  Status Send(std::initializer_list<std::string_view> words, Deadline deadline);

  // The reply to the first command that has none yet. Errors: the system's, the deadline, what
  // comes is no reply, or is an array, which no command here is answered with.
  Result<RedisReply> Receive(Deadline deadline);

  // Send and Receive. Errors: the server's, too.
  Result<RedisReply> Ask(std::initializer_list<std::string_view> words, Deadline deadline);

  // How many commands have no reply yet.
  int waiting() const { return waiting_; }

 private:
  struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
  };

  RedisConnection(redisContext* context, size_t max_reply_bytes);
  Status WaitFor(int16_t events, Deadline deadline) const;
  Status Connect(Deadline deadline) const;

  std::unique_ptr<redisContext, FreeContext> context_;
  redisReplyObjectFunctions functions_;
  const size_t max_reply_bytes_;
  size_t unread_bytes_ = 0;  // received since the last reply
  int waiting_ = 0;
  std::vector<char> received_;
};

// What the server says if a reply is an error.
Status CheckRedisReply(const redisReply& reply);

}  // namespace bitfetch

#endif  // BITFETCH_TIER_REDIS_CONNECTION_H_
