// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_CONNECTION_H_
#define BITFETCH_SERVE_HTTP_CONNECTION_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "serve/http/exchange.h"
#include "serve/http/request_reader.h"
#include "serve/http/server.h"
#include "serve/http/transport.h"

namespace bitfetch::http {

class Connection;

// What the connections of a server have in common. Only the I/O thread uses it, but for `io`.
struct Shared {
  Options options;
  Handler handler;
  SSL_CTX* tls = nullptr;  // null: plain
  boost::asio::io_context io{1};
  std::unordered_set<std::shared_ptr<Connection>> connections;
  bool draining = false;
  std::function<void()> drained;
  uint64_t requests = 0;
  size_t body_bytes = 0;  // of all requests that are coming in
  std::vector<char> buffer = std::vector<char>(size_t{64} << 10);  // what one reads at a time

  // Tells `drained` once there is nothing left.
  void CheckDrained();
};

// One client: takes its requests one after the other, and answers each before it looks at the next.
// All of it happens on the I/O thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `over_limit`: its first request is answered with 503.
  Connection(boost::asio::ip::tcp::socket socket, Shared& shared, bool over_limit);

  void Start();
  // Closes it if it is between two requests, or has the answer to the last of them.
  void CloseIdle();
  void Close();

 private:
  // What is waited for, which decides for how long.
  enum class Phase { kHandshake, kIdle, kHeader, kBody, kAnswer, kSending, kLingering };

  void Pump();
  void PumpOnce();
  bool FinishHandshake();
  bool IsFull() const;
  void Receive();
  void Advance();
  bool WriteOut();
  bool ParseNext();
  void Dispatch();
  void Refuse(const Refusal& refusal);
  void RefuseForMemory();
  std::shared_ptr<Response> Answer(const Framing& framing, std::string path);
  void EndAnswer();
  void Linger();
  void Discard();

  void WaitFor(Transport::Outcome outcome);
  void WatchSilence();
  void CountBody(size_t bytes);
  Phase CurrentPhase() const;
  void SetPhase(Phase phase);
  // Of a body or an answer: bytes that moved, which put off the deadline.
  void Progress(size_t bytes);
  void ArmDeadline();
  void OnDeadline();

  Shared& shared_;
  boost::asio::ip::tcp::socket socket_;
  Transport transport_;
  std::string peer_;
  const bool over_limit_;

  std::string in_;  // received and not parsed
  bool in_ended_ = false;
  bool more_to_read_ = false;            // reading stopped for want of room
  std::optional<RequestReader> reader_;  // of the request that is coming in
  size_t body_bytes_ = 0;                // as counted in shared_
  bool continued_ = false;               // "100 Continue" was sent
  std::shared_ptr<Exchange> answer_;     // of the request under way
  std::string out_;                      // taken from it and not sent
  size_t sent_ = 0;                      // of out_

  bool shaking_ = true;
  bool refused_early_ = false;  // a request of which the client may send more
  bool lingering_ = false;
  bool closed_ = false;
  bool waiting_read_ = false;
  bool waiting_write_ = false;
  bool posted_ = false;
  bool watching_silence_ = false;
  bool served_ = false;  // at least one request
  Phase phase_ = Phase::kHandshake;
  size_t progress_ = 0;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer silence_;
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_CONNECTION_H_
