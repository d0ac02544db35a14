// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_SERVER_H_
#define BITFETCH_SERVE_HTTP_SERVER_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "serve/http/request.h"
#include "serve/http/response.h"

namespace bitfetch::http {

// Gives each request its answer, at once or later from any thread. Called on the I/O thread, which
// serves all connections: it must not block.
using Handler = std::function<void(Request, std::shared_ptr<Response>)>;

// The JSON body of a response that says why a request to `path` (empty where it could not be read)
// was refused.
using ErrorBody =
    std::function<std::string(int status, std::string_view message, std::string_view path)>;

// Hears of a request that the server refused itself; of it there is what could be read.
using OnRefused =
    std::function<void(const Request& request, int status, const std::string& message)>;

struct Options {
  std::string host = "127.0.0.1";  // a name, or an IPv4 or IPv6 address
  int port = 0;                    // 0: any that is free
  std::string tls_cert = {};       // PEM, with the chain; empty: no TLS
  std::string tls_key = {};

  size_t max_connections = 4096;          // or as descriptors allow; more are answered 503
  size_t max_header = size_t{64} << 10;   // bytes; larger: 431, or 414
  size_t max_body = size_t{16} << 20;     // larger: 413
  size_t max_bodies = size_t{256} << 20;  // of all requests that are coming in; more: 503
  size_t max_unsent = size_t{4} << 20;    // of a stream

  std::chrono::milliseconds header_timeout{10'000};  // of a whole header, and of a TLS handshake
  std::chrono::milliseconds body_timeout{30'000};    // of each 256 KiB of a body
  std::chrono::milliseconds write_timeout{
      30'000};  // the same of an answer that waits for the client
  std::chrono::milliseconds idle_timeout{120'000};  // between two requests of a connection

  ErrorBody error_body = {};  // must be set
  OnRefused on_refused = {};
};

// An HTTP/1.1 (and 1.0) server: keep-alive, pipelining, chunked bodies, TLS by OpenSSL; one thread
// for all connections, of which an idle one takes a few KiB.
class Server {
 public:
  // Serves from when it returns. Errors: the address is not to be had (in use, not of this machine,
  // a port that needs root), the certificate or the key can't be read or don't belong together.
  static Result<std::unique_ptr<Server>> Listen(Options options, Handler handler);
  ~Server();  // Stop()

  int port() const;
  const std::string& url() const;  // such as "http://127.0.0.1:8080"

  // Takes no new connections and answers new requests with 503; what is under way goes on. Calls
  // `drained`, on the I/O thread, when the last connection is closed.
  void Drain(std::function<void()> drained);

  // Breaks off what is under way, telling OnClosed, and ends the thread. Not for the I/O thread.
  void Stop();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_SERVER_H_
