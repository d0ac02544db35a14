// SPDX-License-Identifier: Apache-2.0
#include "tier/redis_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "base/errno_text.h"
#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr size_t kReceiveBytes = size_t{256} << 10;
// What a reply has beside its value.
constexpr size_t kReplyExtra = 1024;

}  // namespace

Status CheckRedisReply(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ERROR) return {};
  return Fail("it says '{}'", Printable({reply.str, reply.len}));
}

RedisConnection::RedisConnection(redisContext* context, size_t max_reply_bytes)
    : context_(context),
      functions_(*context->reader->fn),
      max_reply_bytes_(max_reply_bytes + kReplyExtra),
      received_(kReceiveBytes) {
  // An array's room is made before its elements come, as large as it says.
  functions_.createArray = [](const redisReadTask*, int) -> void* { return nullptr; };
  context_->reader->fn = &functions_;
  context_->reader->maxbuf = 0;  // its buffer stays: the next value is as long
}

Result<std::unique_ptr<RedisConnection>> RedisConnection::Open(const RedisAddress& address,
                                                               size_t max_reply_bytes,
                                                               Deadline deadline) {
  redisContext* context = redisConnectNonBlock(address.host.c_str(), address.port);
  if (context == nullptr) return Fail("out of memory");
  std::unique_ptr<RedisConnection> connection(new RedisConnection(context, max_reply_bytes));
  if (context->err != 0) return Fail("{}", Printable(context->errstr));
  BITFETCH_RETURN_IF_ERROR(connection->Connect(deadline));
  if (!address.user.empty()) {
    BITFETCH_RETURN_IF_ERROR(connection->Ask({"AUTH", address.user, address.password}, deadline));
  } else if (!address.password.empty()) {
    BITFETCH_RETURN_IF_ERROR(connection->Ask({"AUTH", address.password}, deadline));
  }
  if (address.db != 0) {
    BITFETCH_RETURN_IF_ERROR(connection->Ask({"SELECT", std::to_string(address.db)}, deadline));
  }
  return connection;
}

Status RedisConnection::WaitFor(int16_t events, Deadline deadline) const {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Fail("it does not answer in time");
    pollfd waits{.fd = context_->fd, .events = events, .revents = 0};
    const int ready = poll(&waits, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return FailErrno("poll");
  }
}

Status RedisConnection::Connect(Deadline deadline) const {
  BITFETCH_RETURN_IF_ERROR(WaitFor(POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return {};
  errno = error;
  return FailErrno("it can't be reached");
}

Status RedisConnection::Send(std::initializer_list<std::string_view> words, Deadline deadline) {
  std::vector<const char*> arguments;
  std::vector<size_t> sizes;
  for (const std::string_view word : words) {
    arguments.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* made = nullptr;
  const int bytes =
      redisFormatCommandArgv(&made, static_cast<int>(words.size()), arguments.data(), sizes.data());
  if (bytes < 0) return Fail("out of memory");
  const std::unique_ptr<char, decltype(&redisFreeCommand)> command(made, redisFreeCommand);
  std::string_view left(made, bytes);
  while (!left.empty()) {
    const ssize_t sent = send(context_->fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      left.remove_prefix(sent);
    } else if (errno == EAGAIN) {
      BITFETCH_RETURN_IF_ERROR(WaitFor(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return FailErrno("it can't be written to");
    }
  }
  ++waiting_;
  return {};
}

Result<RedisReply> RedisConnection::Receive(Deadline deadline) {
  while (true) {
    void* reply = nullptr;
    if (redisReaderGetReply(context_->reader, &reply) != REDIS_OK) {
      return Fail("what it answers is no reply of Redis");
    }
    if (reply != nullptr) {
      --waiting_;
      unread_bytes_ = 0;
      return RedisReply(static_cast<redisReply*>(reply));
    }
    const ssize_t bytes = recv(context_->fd, received_.data(), received_.size(), 0);
    if (bytes > 0) {
      unread_bytes_ += bytes;
      if (unread_bytes_ > max_reply_bytes_ + received_.size()) {
        return Fail("it answers more than was asked for");
      }
      if (redisReaderFeed(context_->reader, received_.data(), bytes) != REDIS_OK) {
        return Fail("out of memory");
      }
      if (std::chrono::steady_clock::now() > deadline) return Fail("it does not answer in time");
    } else if (bytes == 0) {
      return Fail("it has hung up");
    } else if (errno == EAGAIN) {
      BITFETCH_RETURN_IF_ERROR(WaitFor(POLLIN, deadline));
    } else if (errno != EINTR) {
      return FailErrno("it can't be read from");
    }
  }
}

Result<RedisReply> RedisConnection::Ask(std::initializer_list<std::string_view> words,
                                        Deadline deadline) {
  BITFETCH_RETURN_IF_ERROR(Send(words, deadline));
  BITFETCH_ASSIGN_OR_RETURN(RedisReply reply, Receive(deadline));
  BITFETCH_RETURN_IF_ERROR(CheckRedisReply(*reply));
  return reply;
}

}  // namespace bitfetch
