// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_TEST_SOCKET_H_
#define BITFETCH_TIER_TEST_SOCKET_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/descriptor.h"

namespace bitfetch {

// For tests: a socket that listens on a free port of this machine, and the port.
inline std::pair<Descriptor, int> Listen() {
  Descriptor listens(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {.sin_family = AF_INET,
                         .sin_port = 0,
                         .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
                         .sin_zero = {}};
  socklen_t size = sizeof(address);
  if (bind(listens.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listens.get(), 16) != 0 ||
      getsockname(listens.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return {Descriptor(), 0};
  }
  return {std::move(listens), ntohs(address.sin_port)};
}

inline int FreePort() { return Listen().second; }

// For tests: a server that is no good. What it answers to whatever comes is up to `answer`, which
// gets what came and appends to what goes out; false: the connection is closed after that.
class TestServer {
 public:
  using Answer = std::function<bool(std::string_view came, std::string* out)>;

  explicit TestServer(Answer answer) : answer_(std::move(answer)) {
    std::tie(listens_, port_) = Listen();
    thread_ = std::thread([this] { Accept(); });
  }
  ~TestServer() {
    stopping_ = true;
    shutdown(listens_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& thread : connections_) thread.join();
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  int port() const { return port_; }

 private:
  void Accept() {
    while (!stopping_) {
      Descriptor connection(accept(listens_.get(), nullptr, nullptr));
      if (connection.get() < 0) continue;
      connections_.emplace_back(
          [this, connection = std::move(connection)] { Serve(connection.get()); });
    }
  }

  void Serve(int fd) const {
    char came[4096];
    const timeval soon = {.tv_sec = 0, .tv_usec = 20'000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    while (!stopping_) {
      const ssize_t bytes = recv(fd, came, sizeof(came), 0);
      if (bytes == 0) return;
      if (bytes < 0) continue;
      std::string out;
      const bool goes_on = answer_({came, static_cast<size_t>(bytes)}, &out);
      for (size_t sent = 0; sent < out.size() && !stopping_;) {
        const ssize_t done = send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
        if (done < 0) return;
        sent += done;
      }
      if (!goes_on) return;
    }
  }

  const Answer answer_;
  Descriptor listens_;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
  std::vector<std::thread> connections_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_TEST_SOCKET_H_
