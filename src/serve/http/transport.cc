// SPDX-License-Identifier: Apache-2.0
#include "serve/http/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace bitfetch::http {

void FreeSsl::operator()(SSL* ssl) const { SSL_free(ssl); }

Transport::Transport(int socket, SSL_CTX* tls) : socket_(socket) {
  if (tls == nullptr) return;
  ssl_.reset(SSL_new(tls));
  broken_ = ssl_ == nullptr || SSL_set_fd(ssl_.get(), socket) != 1;
}

Transport::Outcome Transport::Explain(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kEnd;
    default:
      return Outcome::kFailed;
  }
}

Transport::Outcome Transport::Handshake() {
  if (broken_) return Outcome::kFailed;
  if (ssl_ == nullptr) return Outcome::kDone;
  ERR_clear_error();
  const int result = SSL_accept(ssl_.get());
  if (result == 1) return Outcome::kDone;
  if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) return Outcome::kPlainHttp;
  return Explain(result);
}

Transport::Moved Transport::Read(std::span<char> into) {
  Moved moved{0, Outcome::kDone};
  while (moved.bytes < into.size()) {
    const std::span<char> room = into.subspan(moved.bytes);
    size_t now = 0;
    if (ssl_ != nullptr) {
      ERR_clear_error();
      const int result = SSL_read_ex(ssl_.get(), room.data(), room.size(), &now);
      if (result != 1) moved.outcome = Explain(result);
    } else {
      const ssize_t result = recv(socket_, room.data(), room.size(), 0);
      if (result > 0) {
        now = static_cast<size_t>(result);
      } else if (result == 0) {
        moved.outcome = Outcome::kEnd;
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        moved.outcome = Outcome::kWantRead;
      } else if (errno != EINTR) {
        moved.outcome = Outcome::kFailed;
      }
    }
    moved.bytes += now;
    if (moved.outcome != Outcome::kDone) break;
  }
  return moved;
}

Transport::Moved Transport::Write(std::string_view bytes) {
  Moved moved{0, Outcome::kDone};
  while (moved.bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(moved.bytes);
    size_t now = 0;
    if (ssl_ != nullptr) {
      ERR_clear_error();
      const int result = SSL_write_ex(ssl_.get(), rest.data(), rest.size(), &now);
      if (result != 1) moved.outcome = Explain(result);
    } else {
      const ssize_t result = send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (result >= 0) {
        now = static_cast<size_t>(result);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        moved.outcome = Outcome::kWantWrite;
      } else if (errno != EINTR) {
        moved.outcome = Outcome::kFailed;
      }
    }
    moved.bytes += now;
    if (moved.outcome != Outcome::kDone) break;
  }
  return moved;
}

void Transport::Shutdown() {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ssl_.reset();
  }
  shutdown(socket_, SHUT_WR);
}

}  // namespace bitfetch::http
