// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_TEST_CLIENT_H_
#define BITFETCH_SERVE_HTTP_TEST_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace bitfetch::http {

// For tests: a connection to 127.0.0.1 that sends and shows raw bytes. Whatever does not come
// within a minute counts as not coming: a busy machine, or an emulator, takes its time.
class TestClient {
 public:
  explicit TestClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~TestClient() { Close(); }
  TestClient(TestClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        received_(std::move(other.received_)) {}
  TestClient& operator=(TestClient&&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  // False: the other side does not take it.
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void SendEnd() const { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

  // Everything up to and with `end`; less if the connection ends or nothing comes before that.
  std::string ReadUntil(std::string_view end) {
    size_t found;
    while ((found = received_.find(end)) == std::string::npos && Receive()) {
    }
    const size_t size = found == std::string::npos ? received_.size() : found + end.size();
    std::string text = received_.substr(0, size);
    received_.erase(0, size);
    return text;
  }

  // What comes before the other side closes the connection, which it must.
  std::string ReadToEnd() {
    while (Receive()) {
    }
    if (!ended_) received_ += "(not closed)";
    return std::exchange(received_, "");
  }

  // One response with a Content-Length.
  std::string ReadResponse() {
    std::string response = ReadUntil("\r\n\r\n");
    const std::string name = "Content-Length: ";
    const size_t at = response.find(name);
    const size_t size = at == std::string::npos ? 0 : std::stoul(response.substr(at + name.size()));
    while (received_.size() < size && Receive()) {
    }
    response += received_.substr(0, size);
    received_.erase(0, std::min(size, received_.size()));
    return response;
  }

 private:
  bool Receive() {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, 60'000) != 1) return false;
    char buffer[65536];
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
    ended_ = got <= 0;
    if (got > 0) received_.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }

  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_TEST_CLIENT_H_
