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
void Echo(Request request, std::shared_ptr<Response> response) {
  response->Send({.content_type = "text/plain"},
                 request.method + " " + request.path + " " + request.query + " " + request.body);
}

TEST(Server, AnswersInOneSegmentAndKeepsTheConnection) {
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
  const auto server = StartServer([&](Request request, std::shared_ptr<Response> response) {
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

TEST(Server, StreamsInChunks) {
  const auto server = StartServer([](const Request&, const std::shared_ptr<Response>& response) {
    response->Start({.content_type = "text/event-stream", .more = {{"Cache-Control", "no-cache"}}});
    response->Write("data: 1\n\n");
    response->Write("");
    response->Write("data: 22\n\n");
    response->Finish();
  });
  TestClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
    EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "9\r\ndata: 1\n\n\r\na\r\ndata: 22\n\n\r\n0\r\n\r\n");
  }
}

TEST(Server, TellsWhenTheClientLeaves) {
  std::promise<void> closed;
  std::shared_ptr<Response> kept;
  const auto server = StartServer([&](const Request&, std::shared_ptr<Response> response) {
    response->OnClosed([&] { closed.set_value(); });
    kept = std::move(response);
  });
  TestClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.Close();
  EXPECT_EQ(closed.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  kept->Send({}, "nobody hears it");
  bool at_once = false;
  kept->OnClosed([&] { at_once = true; });
  EXPECT_TRUE(at_once);
}

}  // namespace
}  // namespace bitfetch::http
