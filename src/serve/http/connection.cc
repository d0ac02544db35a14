// SPDX-License-Identifier: Apache-2.0
#include "serve/http/connection.h"

#include <boost/asio/post.hpp>
#include <new>
#include <utility>

#include "base/url.h"

namespace bitfetch::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

// What may come in while an answer is under way: looked at only to see whether the client is there.
constexpr size_t kMaxAhead = size_t{64} << 10;
constexpr size_t kProgressBytes = size_t{256} << 10;
// For a client that is still sending: closing at once would take the answer from it (RFC 9112,
// section 9.6). When the server ends, only one whose request was refused early is waited for.
constexpr milliseconds kLingerTime{2000};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string PeerName(const tcp::socket& socket) {
  error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  return HostAndPort(peer.address().to_string(), peer.port());
}

}  // namespace

void Shared::CheckDrained() {
  if (draining && connections.empty() && drained) std::exchange(drained, nullptr)();
}

Connection::Connection(tcp::socket socket, Shared& shared, bool over_limit)
    : shared_(shared),
      socket_(std::move(socket)),
      transport_(socket_.native_handle(), shared.tls),
      peer_(PeerName(socket_)),
      over_limit_(over_limit),
      deadline_(shared.io),
      silence_(shared.io) {}

void Connection::Start() {
  ArmDeadline();
  Pump();
}

void Connection::CloseIdle() {
  const bool is_idle = in_.empty() && !reader_ && !answer_;
  if (lingering_ ? !refused_early_ : is_idle) Close();
}

void Connection::Close() {
  if (std::exchange(closed_, true)) return;
  error_code ignored;
  socket_.close(ignored);
  deadline_.cancel();
  silence_.cancel();
  CountBody(0);
  if (answer_) EndAnswer();
  shared_.connections.erase(shared_from_this());
  shared_.CheckDrained();
}

void Connection::Pump() {
  if (closed_) return;
  const auto self = shared_from_this();
  try {
    PumpOnce();
    if (!closed_) SetPhase(CurrentPhase());
  } catch (const std::bad_alloc&) {  // the others go on
    RefuseForMemory();
  }
}

// A request that was coming in makes room for an answer; otherwise the connection ends.
void Connection::RefuseForMemory() {
  if (closed_ || !reader_ || answer_ || !out_.empty()) return Close();
  in_ = {};
  reader_->request().body = {};
  try {
    Refuse({503, "the server is out of memory: try again soon"});
    WaitFor(Transport::Outcome::kDone);
  } catch (const std::bad_alloc&) {
    Close();
  }
}

void Connection::PumpOnce() {
  if (lingering_) return Discard();
  if (shaking_ && !FinishHandshake()) return;
  Receive();
  Advance();
}

bool Connection::FinishHandshake() {
  const Transport::Outcome outcome = transport_.Handshake();
  switch (outcome) {
    case Transport::Outcome::kDone:
      shaking_ = false;
      break;
    case Transport::Outcome::kPlainHttp:
      shaking_ = false;
      transport_.GoPlain();
      Refuse({400, "this port speaks HTTPS, and the request is plain HTTP"});
      break;
    default:
      WaitFor(outcome);
  }
  return !shaking_;
}

bool Connection::IsFull() const { return (answer_ || !out_.empty()) && in_.size() >= kMaxAhead; }

// Whoever sends much leaves the others their turn after each buffer.
void Connection::Receive() {
  if (closed_ || in_ended_ || waiting_read_ || IsFull()) return;
  const Transport::Moved moved = transport_.Read(shared_.buffer);
  in_.append(shared_.buffer.data(), moved.bytes);
  more_to_read_ = moved.outcome == Transport::Outcome::kDone;
  if (moved.outcome == Transport::Outcome::kFailed) return Close();
  if (moved.outcome == Transport::Outcome::kEnd) in_ended_ = true;
  if (moved.outcome == Transport::Outcome::kWantWrite) WaitFor(moved.outcome);
}

void Connection::Advance() {
  while (!closed_) {
    Exchange::Left left = Exchange::Left::kMore;
    if (answer_ && out_.empty()) left = answer_->Take(&out_);
    if (!WriteOut()) return;
    if (left == Exchange::Left::kBroken) return Close();
    if (!out_.empty()) break;
    if (answer_) {
      if (left == Exchange::Left::kMore) break;
      const bool ends = !answer_->keep_alive() || shared_.draining;
      EndAnswer();
      if (ends) return Linger();
    } else if (!ParseNext()) {
      break;
    }
  }
  if (closed_) return;
  if (in_ended_) {
    if (!answer_ && reader_) {
      Refuse({400, "the request ends early"});
      return Advance();
    }
    // Half closed is as good as gone: nothing else tells a client that left from one that waits.
    if (out_.empty()) Close();
    return;
  }
  if (answer_ && !watching_silence_) WatchSilence();
  if (!IsFull()) WaitFor(more_to_read_ ? Transport::Outcome::kDone : Transport::Outcome::kWantRead);
}

// False: the connection is closed. What is left in out_ waits for the client.
bool Connection::WriteOut() {
  if (out_.empty()) return true;
  const Transport::Moved moved = transport_.Write({out_.data() + sent_, out_.size() - sent_});
  sent_ += moved.bytes;
  Progress(moved.bytes);
  if (sent_ == out_.size()) {
    out_ = {};
    sent_ = 0;
    return true;
  }
  if (moved.outcome == Transport::Outcome::kFailed || moved.outcome == Transport::Outcome::kEnd) {
    Close();
    return false;
  }
  WaitFor(moved.outcome);
  return true;
}

// False: more must come in first.
bool Connection::ParseNext() {
  if (!reader_) {
    if (in_.empty()) return false;
    reader_.emplace(shared_.options.max_header, shared_.options.max_body);
    continued_ = false;
  }
  const size_t taken = reader_->Feed(in_);
  in_.erase(0, taken);
  if (in_.empty()) in_ = {};
  Progress(taken);
  CountBody(reader_->request().body.size());
  const RequestReader::State state = reader_->state();
  if (state == RequestReader::State::kRefused) {
    Refuse(reader_->refusal());
    return true;
  }
  if (state == RequestReader::State::kHeader) return false;
  if (shared_.draining) {
    Refuse({503, "the server is shutting down"});
  } else if (over_limit_) {
    Refuse({503, "the server has too many connections"});
  } else if (shared_.body_bytes > shared_.options.max_bodies) {
    Refuse({503, "the server is receiving too much at once"});
  } else if (state == RequestReader::State::kDone) {
    Dispatch();
  } else if (reader_->awaits_continue() && !std::exchange(continued_, true)) {
    out_ += kContinue;
  } else {
    return false;
  }
  return true;
}

void Connection::Dispatch() {
  Request request = std::move(reader_->request());
  const Framing framing{request.method == "HEAD", reader_->http10(), reader_->keep_alive()};
  reader_.reset();
  CountBody(0);
  served_ = true;
  request.peer = peer_;
  request.id = ++shared_.requests;
  auto response = Answer(framing, request.path);
  try {
    shared_.handler(std::move(request), std::move(response));
  } catch (const std::bad_alloc&) {
    // It has let go of the response, which answers it.
  }
}

void Connection::Refuse(const Refusal& refusal) {
  Request request;
  if (reader_) request = std::move(reader_->request());
  request.peer = peer_;
  if (shared_.options.on_refused) {
    shared_.options.on_refused(request, refusal.status, refusal.message);
  }
  const Framing framing{.head_only = request.method == "HEAD"};
  Head head{.status = refusal.status};
  if (refusal.status == 503) head.more.emplace_back("Retry-After", "1");
  const std::string body =
      shared_.options.error_body(refusal.status, refusal.message, request.path);
  Answer(framing, request.path)->Send(head, body);
  refused_early_ = !reader_ || reader_->state() != RequestReader::State::kDone;
  reader_.reset();  // which `refusal` may be of
  in_ = {};
  CountBody(0);
}

std::shared_ptr<Response> Connection::Answer(const Framing& framing, std::string path) {
  answer_ = std::make_shared<Exchange>(
      framing, shared_.options.max_unsent,
      [self = shared_from_this()] { asio::post(self->shared_.io, [self] { self->Pump(); }); });
  watching_silence_ = false;
  return Exchange::Handle(answer_,
                          [error_body = shared_.options.error_body, path = std::move(path)] {
                            return error_body(500, "the request was given up", path);
                          });
}

void Connection::EndAnswer() {
  silence_.cancel();
  std::exchange(answer_, nullptr)->Detach();
}

void Connection::Linger() {
  transport_.Shutdown();
  if (in_ended_ || (shared_.draining && !refused_early_)) return Close();
  lingering_ = true;
  in_ = {};
  Discard();
}

void Connection::Discard() {
  const Transport::Moved moved = transport_.Read(shared_.buffer);
  if (moved.outcome == Transport::Outcome::kEnd || moved.outcome == Transport::Outcome::kFailed) {
    return Close();
  }
  WaitFor(Transport::Outcome::kWantRead);
}

void Connection::WaitFor(Transport::Outcome outcome) {
  switch (outcome) {
    case Transport::Outcome::kDone:
      if (std::exchange(posted_, true)) return;
      asio::post(shared_.io, [self = shared_from_this()] {
        self->posted_ = false;
        self->Pump();
      });
      return;
    case Transport::Outcome::kWantRead:
      if (std::exchange(waiting_read_, true)) return;
      socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code) {
        self->waiting_read_ = false;
        self->Pump();
      });
      return;
    case Transport::Outcome::kWantWrite:
      if (std::exchange(waiting_write_, true)) return;
      socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](error_code) {
        self->waiting_write_ = false;
        self->Pump();
      });
      return;
    default:
      Close();
  }
}

void Connection::WatchSilence() {
  const auto wait = answer_->BreakSilence();
  if (!wait) return;
  watching_silence_ = true;
  silence_.expires_after(*wait);
  silence_.async_wait([self = shared_from_this(), answer = answer_](error_code error) {
    if (!error && self->answer_ == answer) self->WatchSilence();
  });
}

void Connection::CountBody(size_t bytes) {
  shared_.body_bytes += bytes - std::exchange(body_bytes_, bytes);
}

Connection::Phase Connection::CurrentPhase() const {
  if (lingering_) return Phase::kLingering;
  if (shaking_) return Phase::kHandshake;
  if (!out_.empty()) return Phase::kSending;
  if (answer_) return Phase::kAnswer;
  if (reader_) {
    return reader_->state() == RequestReader::State::kBody ? Phase::kBody : Phase::kHeader;
  }
  return served_ ? Phase::kIdle : Phase::kHeader;
}

void Connection::SetPhase(Phase phase) {
  if (phase == phase_) return;
  phase_ = phase;
  ArmDeadline();
}

void Connection::Progress(size_t bytes) {
  progress_ += bytes;
  if (progress_ < kProgressBytes || (phase_ != Phase::kBody && phase_ != Phase::kSending)) return;
  ArmDeadline();
}

void Connection::ArmDeadline() {
  const Options& options = shared_.options;
  milliseconds time = kLingerTime;
  switch (phase_) {
    case Phase::kAnswer:
      deadline_.cancel();
      return;
    case Phase::kHandshake:
    case Phase::kHeader:
      time = options.header_timeout;
      break;
    case Phase::kIdle:
      time = options.idle_timeout;
      break;
    case Phase::kBody:
      time = options.body_timeout;
      break;
    case Phase::kSending:
      time = options.write_timeout;
      break;
    case Phase::kLingering:
      break;
  }
  progress_ = 0;
  deadline_.expires_after(time);
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && !self->closed_) self->OnDeadline();
  });
}

void Connection::OnDeadline() {
  if (deadline_.expiry() > asio::steady_timer::clock_type::now()) return;  // put off meanwhile
  const bool half_sent = reader_ && (phase_ == Phase::kHeader || phase_ == Phase::kBody);
  if (!half_sent) return Close();
  Refuse({408, "the request did not come in time"});
  Pump();
}

}  // namespace bitfetch::http
