// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/http/test_client.h"
#include "serve/http/test_server.h"

namespace bitfetch::http {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Keeps every answer open, until it goes.
class KeepOpen {
 public:
  void operator()(const Request&, std::shared_ptr<Response> response) {
    response->Start({});
    const std::lock_guard lock(state_->mutex);
    state_->open.push_back(std::move(response));
  }
  size_t size() const {
    const std::lock_guard lock(state_->mutex);
    return state_->open.size();
  }
  std::shared_ptr<Response> at(size_t i) const {
    const std::lock_guard lock(state_->mutex);
    return state_->open[i];
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::shared_ptr<Response>> open;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST(ServerTimeouts, EndHeadersThatComeTooSlowly) {
  const auto server = StartServer(AnswerOk, {.header_timeout = milliseconds(500)});
  TestClient half_sent(server->port());
  half_sent.Send("GET / HTTP/1.1\r\nHost: ");
  TestClient silent(server->port());
  EXPECT_THAT(half_sent.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(silent.ReadToEnd(), "");
}

TEST(ServerTimeouts, AreNotPutOffByAByteNowAndThen) {
  const auto server = StartServer(AnswerOk, {.header_timeout = milliseconds(500)});
  TestClient client(server->port());
  std::thread dribble([&] {
    while (client.Send("a")) std::this_thread::sleep_for(milliseconds(5));
  });
  EXPECT_THAT(client.ReadUntil("\r\n"), StartsWith("HTTP/1.1 408 "));
  shutdown(client.fd(), SHUT_RDWR);
  dribble.join();
}

TEST(ServerTimeouts, EndBodiesThatComeTooSlowly) {
  const auto server = StartServer(AnswerOk, {.body_timeout = milliseconds(50)});
  TestClient client(server->port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
}

TEST(ServerTimeouts, EndConnectionsThatAreIdle) {
  const auto server = StartServer(AnswerOk, {.idle_timeout = milliseconds(50)});
  TestClient client(server->port());
  client.Send(kGet);
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(ServerTimeouts, DoNotEndAnAnswerThatTakesLong) {
  KeepOpen open;
  const auto server = StartServer(open, {.body_timeout = milliseconds(20),
                                         .write_timeout = milliseconds(20),
                                         .idle_timeout = milliseconds(20)});
  TestClient client(server->port());
  client.Send(kGet);
  client.ReadUntil("\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(100));
  open.at(0)->Write("a");
  open.at(0)->Finish();
  EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "1\r\na\r\n0\r\n\r\n");
}

TEST(ServerTimeouts, DropAClientThatDoesNotRead) {
  const auto server = StartServer(
      [](const Request& request, const std::shared_ptr<Response>& response) {
        response->Send({}, std::string(request.path == "/large" ? 32 << 20 : 1, 'a'));
      },
      {.write_timeout = milliseconds(100)});
  TestClient client(server->port());
  client.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  TestClient second(server->port());  // not held up by the first
  second.Send(kGet);
  EXPECT_THAT(second.ReadResponse(), EndsWith("\r\n\r\na"));
  std::promise<void> dropped;
  server->Drain([&] { dropped.set_value(); });
  dropped.get_future().get();
  EXPECT_LT(client.ReadToEnd().size(), 32U << 20);
}

TEST(ServerLimits, DropAStreamThatIsNotRead) {
  KeepOpen open;
  const auto server = StartServer(open, {.max_unsent = 100'000});
  TestClient client(server->port());
  client.Send(kGet);
  client.ReadUntil("\r\n\r\n");
  std::atomic<bool> closed = false;
  open.at(0)->OnClosed([&] { closed = true; });
  while (!closed) open.at(0)->Write(std::string(10'000, 'a'));
  EXPECT_THAT(client.ReadToEnd(), testing::Not(EndsWith("0\r\n\r\n")));
}

TEST(ServerLimits, TurnAwayWhatIsTooMany) {
  KeepOpen open;
  const auto server = StartServer(open, {.max_connections = 2});
  std::vector<TestClient> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(server->port());
    clients.back().Send(kGet);
    clients.back().ReadUntil("\r\n\r\n");
  }
  {
    TestClient third(server->port());
    third.Send(kGet);
    const std::string response = third.ReadToEnd();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(response, HasSubstr("\r\nRetry-After: 1\r\n"));
  }
  clients.clear();
  for (bool served = false; !served;) {
    TestClient fourth(server->port());
    fourth.Send(kGet);
    served = fourth.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 200 ");
  }
}

TEST(ServerLimits, TurnAwayBodiesThatAreTooMuchTogether) {
  const auto server = StartServer(AnswerOk, {.max_bodies = 1 << 20});
  const std::string header = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
  TestClient first(server->port());
  first.Send(header + std::string(900'000, 'a'));
  TestClient second(server->port());
  second.Send(header + std::string(900'000, 'a'));
  pollfd answers[] = {{first.fd(), POLLIN, 0}, {second.fd(), POLLIN, 0}};
  ASSERT_GE(poll(answers, 2, 10'000), 1);  // one of them, whichever was read last
  const bool first_refused = answers[0].revents != 0;
  TestClient& refused = first_refused ? first : second;
  EXPECT_THAT(refused.ReadToEnd(), StartsWith("HTTP/1.1 503 "));
  TestClient& other = first_refused ? second : first;
  other.Send(std::string(100'000, 'a'));
  EXPECT_THAT(other.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

// Of the process, in bytes.
size_t ResidentBytes() {
  size_t pages = 0;
  size_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(ServerLimits, AThousandConnectionsTakeLittle) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2200) GTEST_SKIP() << "only " << limit.rlim_cur << " descriptors";

  KeepOpen open;
  const auto server = StartServer([&](const Request& request, std::shared_ptr<Response> response) {
    if (request.path == "/stream") return open(request, std::move(response));
    response->Send({}, "{}");
  });
  const size_t before = ResidentBytes();
  std::vector<TestClient> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.emplace_back(server->port());
    clients.back().Send(i % 2 == 0 ? "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" : kGet);
  }
  for (TestClient& client : clients) {
    EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(open.size(), 500U);
  for (size_t i = 0; i < open.size(); ++i) open.at(i)->Write("a");
  for (size_t i = 0; i < clients.size(); i += 2) {
    EXPECT_EQ(clients[i].ReadUntil("a\r\n"), "1\r\na\r\n");
  }
  EXPECT_LT(ResidentBytes(), before + (size_t{48} << 20));
}

TEST(ServerLimits, WaitForDescriptors) {
  const auto server = StartServer(AnswerOk);
  TestClient before(server->port());
  before.Send(kGet);
  before.ReadResponse();
  // The next client takes the last descriptor, and the server has none to accept it.
  const int next = dup(before.fd());
  close(next);
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit few{static_cast<rlim_t>(next) + 1, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  TestClient waiting(server->port());
  waiting.Send(kGet);
  const std::clock_t cpu = std::clock();
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_LT(std::clock() - cpu, CLOCKS_PER_SEC / 5);  // it doesn't spin
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_THAT(waiting.ReadResponse(), EndsWith("{}"));
}

}  // namespace
}  // namespace bitfetch::http
