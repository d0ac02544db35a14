// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_EVENT_STREAM_H_
#define BITFETCH_BENCH_EVENT_STREAM_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace bitfetch {

// Where a server listens: "http://127.0.0.1:8080", or what stands below, as in ".../v1".
struct ServerUrl {
  std::string host;
  std::string port;
  std::string path;  // in front of others; empty: none
};

// Errors: another scheme than http.
Result<ServerUrl> ParseServerUrl(std::string_view url);

// A client that posts one request and reads the events that come back (server-sent events over
// HTTP/1.1), as they come. Waits for the server, at most ten minutes each time.
class EventStream {
 public:
  // Errors: the server can't be reached, or answers with another status than 200, whose body the
  // message has.
  static Result<EventStream> Post(const ServerUrl& server, std::string_view path,
                                  std::string_view headers, std::string_view body);
  EventStream(EventStream&& other) noexcept;
  EventStream& operator=(EventStream&&) = delete;
  ~EventStream();

  // The data of the next event; nothing: the stream has ended, or its "[DONE]" has come. Errors:
  // the connection broke off.
  Result<std::optional<std::string>> Next();

 private:
  explicit EventStream(int socket) : socket_(socket) {}

  // False: the other side has ended.
  Result<bool> Receive();
  Status ReadHead();
  // Moves what is whole of received_ to text_.
  Status Unchunk();

  int socket_;
  std::string received_;
  std::string text_;  // of the body, without the framing of chunks
  bool chunked_ = false;
  bool ended_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_EVENT_STREAM_H_
