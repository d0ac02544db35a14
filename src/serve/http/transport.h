// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_TRANSPORT_H_
#define BITFETCH_SERVE_HTTP_TRANSPORT_H_

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace bitfetch::http {

struct FreeSsl {
  void operator()(SSL* ssl) const;
};

// Bytes over a socket that never blocks (and is not owned), plain or through TLS.
class Transport {
 public:
  enum class Outcome {
    kDone,
    kWantRead,   // call again when the socket is readable
    kWantWrite,  // when it is writable
    kEnd,        // the other side has said that nothing more comes
    kFailed,
    kPlainHttp,  // of Handshake: the client speaks HTTP without TLS
  };
  struct Moved {
    size_t bytes;
    Outcome outcome;  // why there were not more; kDone: there was no room, or nothing left
  };

  // `tls` null: plain.
  Transport(int socket, SSL_CTX* tls);

  Outcome Handshake();
  Moved Read(std::span<char> into);
  Moved Write(std::string_view bytes);
  // Tells the other side that nothing more comes.
  void Shutdown();
  // From now on without TLS.
  void GoPlain() { ssl_.reset(); }

 private:
  Outcome Explain(int result) const;

  int socket_;
  bool broken_ = false;  // TLS was asked for and not to be had
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_TRANSPORT_H_
