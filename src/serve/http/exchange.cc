// SPDX-License-Identifier: Apache-2.0
#include "serve/http/exchange.h"

#include <new>
#include <utility>

namespace bitfetch::http {

std::shared_ptr<Response> Exchange::Handle(std::shared_ptr<Exchange> exchange,
                                           std::function<std::string()> abandoned) {
  Exchange* const response = exchange.get();
  return {response, [exchange = std::move(exchange), abandoned = std::move(abandoned)](Response*) {
            try {
              exchange->Abandon(abandoned);
            } catch (const std::bad_alloc&) {
              exchange->Break();
            }
          }};
}

void Exchange::Wake() {
  if (woken_) return;
  wake_();
  woken_ = true;
}

void Exchange::Send(const Head& head, std::string_view body) {
  std::function<void()> released;
  const std::lock_guard lock(mutex_);
  if (!IsOpen() || started_) return;
  std::string answer = FormatHead(head, framing_, body.size());
  if (HasBody(head.status) && !framing_.head_only) answer += body;
  unsent_ = std::move(answer);  // all of it or, for want of memory, nothing
  started_ = true;
  whole_ = true;
  released.swap(closed_);
  Wake();
}

void Exchange::Start(const Head& head) {
  const std::lock_guard lock(mutex_);
  if (!IsOpen() || started_) return;
  started_ = true;
  if (framing_.http10) framing_.keep_alive = false;  // what ends the stream is the connection's end
  unsent_ = FormatHead(head, framing_, std::nullopt);
  last_write_ = Clock::now();
  Wake();
}

void Exchange::AppendPiece(std::string_view piece) {
  last_write_ = Clock::now();
  if (framing_.head_only) return;
  if (framing_.http10) {
    unsent_ += piece;
  } else {
    AppendChunk(piece, &unsent_);
  }
  broken_ = unsent_.size() > max_unsent_;
  Wake();
}

void Exchange::Write(std::string_view piece) {
  const std::lock_guard lock(mutex_);
  if (IsOpen() && started_ && !piece.empty()) AppendPiece(piece);
}

void Exchange::Finish() {
  std::function<void()> released;
  const std::lock_guard lock(mutex_);
  if (!IsOpen() || !started_) return;
  if (!framing_.http10 && !framing_.head_only) unsent_ += kLastChunk;
  whole_ = true;
  released.swap(closed_);
  Wake();
}

void Exchange::WriteWhenSilent(std::chrono::milliseconds interval, std::string text) {
  const std::lock_guard lock(mutex_);
  if (!IsOpen() || !started_ || interval.count() <= 0 || text.empty()) return;
  max_silence_ = interval;
  silence_text_ = std::move(text);
  Wake();
}

void Exchange::OnClosed(std::function<void()> closed) {
  std::unique_lock lock(mutex_);
  if (whole_) return;
  if (wake_ != nullptr) {
    closed_.swap(closed);  // the former one goes after the lock
    lock.unlock();
  } else {
    lock.unlock();
    closed();
  }
}

void Exchange::Abandon(const std::function<std::string()>& body) {
  bool is_begun;
  {
    const std::lock_guard lock(mutex_);
    is_begun = started_;
  }
  if (is_begun) return Break();
  Send({.status = 500}, body());
}

void Exchange::Break() {
  std::function<void()> released;
  const std::lock_guard lock(mutex_);
  if (!IsOpen()) return;
  released.swap(closed_);
  broken_ = true;
  try {
    Wake();
  } catch (const std::bad_alloc&) {  // the connection finds out when its client leaves
  }
}

Exchange::Left Exchange::Take(std::string* out) {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  if (out->empty()) {
    out->swap(unsent_);
  } else {
    *out += unsent_;
  }
  unsent_.clear();
  return broken_ ? Left::kBroken : whole_ ? Left::kNothing : Left::kMore;
}

std::optional<std::chrono::milliseconds> Exchange::BreakSilence() {
  const std::lock_guard lock(mutex_);
  if (!IsOpen() || max_silence_.count() == 0) return std::nullopt;
  const auto silent = std::chrono::floor<std::chrono::milliseconds>(Clock::now() - last_write_);
  if (silent < max_silence_) return max_silence_ - silent;
  AppendPiece(silence_text_);
  return max_silence_;
}

void Exchange::Detach() {
  std::function<void()> wake;
  std::function<void()> closed;
  {
    const std::lock_guard lock(mutex_);
    wake.swap(wake_);
    if (!whole_) closed.swap(closed_);
  }
  if (closed) closed();
}

}  // namespace bitfetch::http
