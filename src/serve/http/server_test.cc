// SPDX-License-Identifier: Apache-2.0
#include "serve/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "serve/http/test_client.h"
#include "serve/http/test_server.h"

namespace bitfetch::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Says what it was asked, and closes nothing.
void Echo(const Request& request, const std::shared_ptr<Response>& response) {
  response->Send({.content_type = "text/plain"},
                 request.method + " " + request.path + " " + request.query + " " + request.body);
}

TEST(Server, AnswersAndKeepsTheConnection) {
  const auto server = StartServer(Echo);
  TestClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    client.Send("POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    const std::string response = client.ReadResponse();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(response, HasSubstr("\r\nContent-Type: text/plain\r\n"));
    EXPECT_THAT(response, HasSubstr("\r\nDate: "));
    EXPECT_THAT(response, Not(HasSubstr("Connection:")));
    EXPECT_THAT(response, EndsWith("\r\n\r\nPOST /a b c=d abc"));
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  // The first is answered last, from another thread.
  std::thread late;
  const auto server =
      StartServer([&](const Request& request, const std::shared_ptr<Response>& response) {
        if (request.path == "/late") {
          late = std::thread([response] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            response->Send({}, "late.");
          });
        } else {
          response->Send({}, request.path + ".");
        }
      });
  TestClient client(server->port());
  std::string requests = "GET /late HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 50; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  client.Send(requests);
  EXPECT_THAT(client.ReadUntil("late."), EndsWith("\r\n\r\nlate."));
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\n/" + std::to_string(i) + "."));
  }
  late.join();
}

TEST(Server, AnswersHeadWithoutABody) {
  const auto server = StartServer(Echo);
  TestClient client(server->port());
  client.Send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("\r\nContent-Length: 9\r\n"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\nGET /b  "));
}

TEST(Server, SendsNoBodyWhereThereIsNone) {
  const auto server = StartServer([](const Request&, const std::shared_ptr<Response>& response) {
    response->Send({.status = 204, .content_type = ""}, "");
  });
  TestClient client(server->port());
  client.Send("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string response = client.ReadToEnd();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(response, Not(HasSubstr("Content-")));
  EXPECT_THAT(response, EndsWith("\r\nConnection: close\r\n\r\n"));
}

TEST(Server, SpeaksHttp10) {
  const auto server = StartServer(Echo);
  TestClient client(server->port());
  client.Send("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), HasSubstr("\r\nConnection: keep-alive\r\n"));
  client.Send("GET /b HTTP/1.0\r\n\r\n");
  const std::string response = client.ReadToEnd();
  EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(response, EndsWith("\r\n\r\nGET /b  "));
}

TEST(Server, ContinuesWhenTheClientWaits) {
  const auto server = StartServer(Echo);
  TestClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.Send(
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.Send("2\r\nab\r\n0\r\n\r\n");
    EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\nPOST /  ab"));
  }
}

TEST(Server, TakesABodyOfTheLargestSize) {
  const auto server =
      StartServer([](const Request& request, const std::shared_ptr<Response>& response) {
        response->Send({}, request.body);
      });
  TestClient client(server->port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216\r\n\r\n");
  client.Send(std::string(16 << 20, 'a'));
  EXPECT_THAT(client.ReadResponse(), EndsWith(std::string(16 << 20, 'a')));
}

TEST(Server, NamesRequestsAndClients) {
  const auto server =
      StartServer([](const Request& request, const std::shared_ptr<Response>& response) {
        response->Send({}, std::to_string(request.id) + " " + request.peer);
      });
  TestClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), HasSubstr("\r\n\r\n1 127.0.0.1:"));
  EXPECT_THAT(client.ReadResponse(), HasSubstr("\r\n\r\n2 127.0.0.1:"));
}

TEST(Server, SaysWhereItListens) {
  const auto server = StartServer(Echo);
  EXPECT_EQ(server->url(), "http://127.0.0.1:" + std::to_string(server->port()));
  auto v6 = Server::Listen({.host = "::1", .error_body = TestErrorBody}, Echo);
  if (!v6) GTEST_SKIP() << v6.error().message;
  EXPECT_EQ((*v6)->url(), "http://[::1]:" + std::to_string((*v6)->port()));
}

TEST(Server, ErrorsSayWhyItCannotListen) {
  const auto server = StartServer(Echo);
  const auto error = [](const std::string& host, int port) {
    auto listening =
        Server::Listen({.host = host, .port = port, .error_body = TestErrorBody}, Echo);
    return listening ? "" : listening.error().message;
  };
  const int port = server->port();
  EXPECT_EQ(error("127.0.0.1", port),
            "cannot listen on 127.0.0.1 port " + std::to_string(port) + ": Address already in use");
  EXPECT_EQ(error("127.0.0.1", 65536), "65536 is no port: they go to 65535");
  EXPECT_THAT(error("192.0.2.1", 0), StartsWith("cannot listen on 192.0.2.1 port 0: "));
  EXPECT_THAT(error("a b", 0), StartsWith("cannot listen on a b port 0: "));
}

TEST(Server, FinishesWhatIsUnderWayWhenItDrains) {
  std::promise<std::shared_ptr<Response>> asked;
  std::atomic<bool> drained = false;
  std::promise<void> done;
  const auto server = StartServer([&](const Request& request, std::shared_ptr<Response> response) {
    if (request.path == "/slow") return asked.set_value(std::move(response));
    response->Send({}, "{}");
  });
  TestClient idle(server->port());
  idle.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.ReadResponse();
  TestClient half_sent(server->port());
  half_sent.Send("GET / HTTP/1.1\r\n");
  TestClient slow(server->port());
  slow.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto response = asked.get_future().get();

  server->Drain([&] {
    drained = true;
    done.set_value();
  });
  EXPECT_EQ(idle.ReadToEnd(), "");
  half_sent.Send("Host: x\r\n\r\n");
  EXPECT_THAT(half_sent.ReadToEnd(), StartsWith("HTTP/1.1 503 "));
  EXPECT_FALSE(TestClient(server->port()).connected());
  EXPECT_FALSE(drained);
  response->Send({}, "done");
  EXPECT_THAT(slow.ReadToEnd(), EndsWith("\r\n\r\ndone"));
  // Though neither has closed its side.
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(1)), std::future_status::ready);
}

TEST(Server, StopsAtOnce) {
  std::promise<std::shared_ptr<Response>> asked;
  auto server = StartServer([&](const Request&, std::shared_ptr<Response> response) {
    asked.set_value(std::move(response));
  });
  TestClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto response = asked.get_future().get();
  bool closed = false;
  response->OnClosed([&] { closed = true; });
  server.reset();
  EXPECT_TRUE(closed);
  EXPECT_EQ(client.ReadToEnd(), "");
  response->Send({}, "nobody hears it");
}

TEST(Server, AnswersForAHandlerWithoutMemory) {
  const auto server = StartServer([](const Request& request, std::shared_ptr<Response> response) {
    const auto held = std::move(response);
    if (request.path == "/large") throw std::bad_alloc();
    held->Send({}, "{}");
  });
  TestClient client(server->port());
  client.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

TEST(Server, AnswersForAHandlerThatDoesNot) {
  const auto server = StartServer([](const Request&, const std::shared_ptr<Response>&) {});
  TestClient client(server->port());
  client.Send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 500 "));
}

}  // namespace
}  // namespace bitfetch::http
