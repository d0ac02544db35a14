// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_EXCHANGE_H_
#define BITFETCH_SERVE_HTTP_EXCHANGE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/framing.h"
#include "serve/http/response.h"

namespace bitfetch::http {

// One answer on its way: where those who write it, on any thread, meet the connection, which takes
// the bytes away on the I/O thread.
class Exchange : public Response {
 public:
  // `wake` has the connection call Take soon; called with the mutex held, until Detach.
  Exchange(const Framing& framing, size_t max_unsent, std::function<void()> wake)
      : max_unsent_(max_unsent), framing_(framing), wake_(std::move(wake)) {}

  // What the handler gets: once the last copy goes, `abandoned` is sent unless there is an answer.
  static std::shared_ptr<Response> Handle(std::shared_ptr<Exchange> exchange,
                                          std::function<std::string()> abandoned);

  void Send(const Head& head, std::string_view body) override;
  void Start(const Head& head) override;
  void Write(std::string_view piece) override;
  void Finish() override;
  void WriteWhenSilent(std::chrono::milliseconds interval, std::string text) override;
  void OnClosed(std::function<void()> closed) override;

  // The rest is the connection's.

  enum class Left { kMore, kNothing, kBroken };
  // Appends to `out` what has been written since the last call. kNothing: the answer is whole;
  // kBroken: it never will be, and the connection is of no more use.
  Left Take(std::string* out);
  // How long until the silence must be looked at again, having written into it if it was too long;
  // nothing if nobody asked for that.
  std::optional<std::chrono::milliseconds> BreakSilence();
  // The connection goes away: from now on nothing has an effect. Tells OnClosed unless the answer
  // is whole.
  void Detach();

  // Of an answer that is whole.
  bool keep_alive() const { return framing_.keep_alive; }

 private:
  using Clock = std::chrono::steady_clock;
  bool IsOpen() const { return wake_ != nullptr && !whole_ && !broken_; }
  void Wake();
  void AppendPiece(std::string_view piece);
  void Abandon(const std::function<std::string()>& body);
  void Break();

  const size_t max_unsent_;

  std::mutex mutex_;  // of all that follows
  Framing framing_;
  std::function<void()> wake_;
  bool woken_ = false;
  std::string unsent_;
  bool started_ = false;
  bool whole_ = false;
  bool broken_ = false;
  std::chrono::milliseconds max_silence_{0};
  std::string silence_text_;
  Clock::time_point last_write_;
  // Destroyed or called without the mutex, for it may hold a handle of this exchange.
  std::function<void()> closed_;
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_EXCHANGE_H_
