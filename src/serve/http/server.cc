// SPDX-License-Identifier: Apache-2.0
#include "serve/http/server.h"

#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <new>
#include <thread>
#include <utility>

#include "serve/http/connection.h"
#include "base/url.h"
#include "serve/http/tls_context.h"

namespace bitfetch::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// How many connections beyond the limit are told so, rather than closed.
constexpr size_t kMaxOverLimit = 64;
constexpr std::chrono::milliseconds kRetryAccept{100};

tl::unexpected<Error> FailToListen(const std::string& host, int port, const error_code& error) {
  std::string_view hint;
  if (error == asio::error::access_denied) hint = " (ports below 1024 need root)";
  return Fail("cannot listen on {} port {}: {}{}", host, port, error.message(), hint);
}

Result<tcp::endpoint> Resolve(asio::io_context& io, std::string host, int port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (port < 0 || port > 65535) return Fail("{} is no port: they go to 65535", port);
  error_code error;
  const auto found =
      tcp::resolver(io).resolve(host, std::to_string(port), tcp::resolver::numeric_service, error);
  if (error || found.empty()) return FailToListen(host, port, error);
  return found.begin()->endpoint();
}

// How many connections there may be, up to so many: each takes a descriptor, and the usual limit on
// them is 1024.
size_t AllowConnections(size_t wanted) {
  constexpr size_t kOthers = kMaxOverLimit + 64;
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const rlimit raised{std::min<rlim_t>(wanted + kOthers, limit.rlim_max), limit.rlim_max};
  if (raised.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  const size_t all = limit.rlim_cur;
  return std::min(wanted, all > 2 * kOthers ? all - kOthers : all / 2);
}

// Tells within a minute and a half of a client whose machine went away without a word.
void FindOutIfGone(int socket) {
  const auto set = [socket](int level, int option, int value) {
    setsockopt(socket, level, option, &value, sizeof(value));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

class Server::Impl {
 public:
  Impl(Options options, Handler handler) {
    shared_.options = std::move(options);
    shared_.handler = std::move(handler);
  }

  Status Open() {
    const Options& options = shared_.options;
    if (!options.tls_cert.empty() || !options.tls_key.empty()) {
      BITFETCH_ASSIGN_OR_RETURN(tls_, MakeTlsContext(options.tls_cert, options.tls_key));
      shared_.tls = tls_.get();
    }
    BITFETCH_ASSIGN_OR_RETURN(const tcp::endpoint endpoint,
                              Resolve(shared_.io, options.host, options.port));
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
    if (error) return FailToListen(options.host, options.port, error);
    port_ = acceptor_.local_endpoint(error).port();
    url_ = (shared_.tls != nullptr ? "https://" : "http://") + HostAndPort(options.host, port_);
    shared_.options.max_connections = AllowConnections(options.max_connections);
    Accept();
    return {};
  }

  // Without SIGPIPE, which OpenSSL's writes raise. Where memory runs out, what was to be done is
  // lost and the rest goes on.
  void StartThread() {
    sigset_t pipe;
    sigset_t before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    thread_ = std::thread([this] {
      while (!shared_.io.stopped()) {
        try {
          shared_.io.run();
        } catch (const std::bad_alloc&) {
        }
      }
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void Drain(std::function<void()> drained) {
    asio::post(shared_.io, [this, drained = std::move(drained)]() mutable {
      shared_.draining = true;
      shared_.drained = std::move(drained);
      StopAccepting();
      ForAll(&Connection::CloseIdle);
      shared_.CheckDrained();
    });
  }

  void Stop() {
    if (!thread_.joinable()) return;
    asio::post(shared_.io, [this] {
      StopAccepting();
      ForAll(&Connection::Close);
      work_.reset();
    });
    thread_.join();
  }

  int port() const { return port_; }
  const std::string& url() const { return url_; }

 private:
  void StopAccepting() {
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
  }

  // Over a copy, for a connection that closes goes from the set.
  void ForAll(void (Connection::*call)()) {
    const auto all = shared_.connections;
    for (const auto& connection : all) (connection.get()->*call)();
  }

  void Accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error) {
        Accept();
        Welcome(std::move(socket));
      } else {  // no descriptors or no memory: connections wait in the queue until there are some
        retry_.expires_after(kRetryAccept);
        retry_.async_wait([this](const error_code& stopped) {
          if (!stopped && acceptor_.is_open()) Accept();
        });
      }
    });
  }

  void Welcome(tcp::socket socket) {
    const size_t max = shared_.options.max_connections;
    const size_t now = shared_.connections.size();
    if (now >= max + kMaxOverLimit) return;
    error_code ignored;
    socket.native_non_blocking(true, ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    FindOutIfGone(socket.native_handle());
    const auto connection = std::make_shared<Connection>(std::move(socket), shared_, now >= max);
    shared_.connections.insert(connection);
    connection->Start();
  }

  TlsContext tls_;
  Shared shared_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{shared_.io.get_executor()};
  tcp::acceptor acceptor_{shared_.io};
  asio::steady_timer retry_{shared_.io};
  int port_ = 0;
  std::string url_;
  std::thread thread_;
};

Result<std::unique_ptr<Server>> Server::Listen(Options options, Handler handler) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  BITFETCH_RETURN_IF_ERROR(impl->Open());
  impl->StartThread();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { Stop(); }

int Server::port() const { return impl_->port(); }
const std::string& Server::url() const { return impl_->url(); }
void Server::Drain(std::function<void()> drained) { impl_->Drain(std::move(drained)); }
void Server::Stop() { impl_->Stop(); }

}  // namespace bitfetch::http
