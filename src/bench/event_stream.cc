// SPDX-License-Identifier: Apache-2.0
#include "bench/event_stream.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr timeval kPatience{.tv_sec = 600, .tv_usec = 0};

Result<int> Connect(const ServerUrl& server) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found)) {
    return Fail("{}: {}", server.host, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  int error = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) == 0) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
      return fd;
    }
    error = errno;
    if (fd >= 0) close(fd);
  }
  return Fail("{}:{}: {}", server.host, server.port, std::strerror(error));
}

}  // namespace

Result<ServerUrl> ParseServerUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme))
    return Fail("'{}' does not begin with {}", Printable(url), kScheme);
  const std::string_view rest = url.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view place = rest.substr(0, slash);
  ServerUrl parsed{.host = {}, .port = "80", .path = std::string(rest.substr(slash))};
  while (parsed.path.ends_with('/')) parsed.path.pop_back();
  const size_t colon = place.rfind(':');
  if (colon != std::string_view::npos && place.find(']', colon) == std::string_view::npos) {
    parsed.port = place.substr(colon + 1);
    place = place.substr(0, colon);
  }
  if (place.starts_with('[') && place.ends_with(']')) place = place.substr(1, place.size() - 2);
  if (place.empty()) return Fail("'{}' names no host", Printable(url));
  parsed.host = place;
  return parsed;
}

EventStream::EventStream(EventStream&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      received_(std::move(other.received_)),
      text_(std::move(other.text_)),
      chunked_(other.chunked_),
      ended_(other.ended_) {}

EventStream::~EventStream() {
  if (socket_ >= 0) close(socket_);
}

Result<EventStream> EventStream::Post(const ServerUrl& server, std::string_view path,
                                      std::string_view headers, std::string_view body) {
  BITFETCH_ASSIGN_OR_RETURN(const int fd, Connect(server));
  EventStream stream(fd);
  const std::string request = fmt::format(
      "POST {}{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n{}\r\n{}",
      server.path, path, server.host, body.size(), headers, body);
  for (std::string_view rest = request; !rest.empty();) {
    const ssize_t sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0) return Fail("{}:{}: {}", server.host, server.port, std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(sent));
  }
  BITFETCH_RETURN_IF_ERROR(stream.ReadHead());
  return stream;
}

Result<bool> EventStream::Receive() {
  char buffer[16384];
  const ssize_t got = recv(socket_, buffer, sizeof buffer, 0);
  if (got < 0) return Fail("the connection broke off: {}", std::strerror(errno));
  received_.append(buffer, static_cast<size_t>(got));
  return got > 0;
}

Status EventStream::ReadHead() {
  size_t end;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    BITFETCH_ASSIGN_OR_RETURN(const bool more, Receive());
    if (!more) return Fail("the server closed the connection without an answer");
  }
  std::string head = received_.substr(0, end);
  received_.erase(0, end + 4);
  if (head.substr(0, head.find('\r')).find(" 200") == std::string::npos) {
    while (received_.size() < 400) {
      BITFETCH_ASSIGN_OR_RETURN(const bool more, Receive());
      if (!more) break;
    }
    return Fail("{}: {}", Printable(head.substr(0, head.find('\r'))), Printable(received_, 400));
  }
  for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  chunked_ = head.find("\r\ntransfer-encoding: chunked") != std::string::npos;
  return {};
}

Status EventStream::Unchunk() {
  if (!chunked_) {
    text_ += std::exchange(received_, "");
    return {};
  }
  while (true) {
    const size_t line = received_.find("\r\n");
    if (line == std::string::npos) return {};
    size_t size = 0;
    const auto read = std::from_chars(received_.data(), received_.data() + line, size, 16);
    if (read.ec != std::errc() || size > (size_t{1} << 30)) return Fail("a chunk has no size");
    if (size == 0) {
      ended_ = true;
      return {};
    }
    if (received_.size() < line + 2 + size + 2) return {};
    text_.append(received_, line + 2, size);
    received_.erase(0, line + 2 + size + 2);
  }
}

Result<std::optional<std::string>> EventStream::Next() {
  while (true) {
    BITFETCH_RETURN_IF_ERROR(Unchunk());
    for (size_t end; (end = text_.find('\n')) != std::string::npos;) {
      std::string line = text_.substr(0, end);
      text_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      if (!line.starts_with("data:")) continue;
      line.erase(0, line.starts_with("data: ") ? 6 : 5);
      if (line == "[DONE]") return std::nullopt;
      return line;
    }
    if (ended_) return std::nullopt;
    BITFETCH_ASSIGN_OR_RETURN(const bool more, Receive());
    if (more) continue;
    if (chunked_) return Fail("the server broke the stream off");
    ended_ = true;
  }
}

}  // namespace bitfetch
