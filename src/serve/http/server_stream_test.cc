// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

#include "serve/http/test_client.h"
#include "serve/http/test_server.h"

namespace bitfetch::http {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// A server that hands its one answer to the test, and a client that has asked for it.
class OneAnswer {
 public:
  explicit OneAnswer(std::string_view request = kGet)
      : server_(StartServer([this](const Request&, std::shared_ptr<Response> response) {
          asked_.set_value(std::move(response));
        })),
        client(server_->port()) {
    client.Send(request);
    response = asked_.get_future().get();
  }

 private:
  std::promise<std::shared_ptr<Response>> asked_;
  std::unique_ptr<Server> server_;

 public:
  TestClient client;
  std::shared_ptr<Response> response;
};

TEST(ServerStream, IsSentInChunks) {
  const auto server = StartServer([](const Request&, const std::shared_ptr<Response>& response) {
    response->Start({.content_type = "text/event-stream", .more = {{"Cache-Control", "no-cache"}}});
    response->Write("data: 1\n\n");
    response->Write("");
    response->Write("data: 22\n\n");
    response->Finish();
    response->Write("too late");
  });
  TestClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.Send(kGet);
    const std::string head = client.ReadUntil("\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                                "Transfer-Encoding: chunked\r\n"));
    EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "9\r\ndata: 1\n\n\r\na\r\ndata: 22\n\n\r\n0\r\n\r\n");
  }
}

TEST(ServerStream, ComesPieceByPiece) {
  OneAnswer answer;
  answer.response->Start({});
  answer.client.ReadUntil("\r\n\r\n");
  for (const char* piece : {"a", "b", "c"}) {
    answer.response->Write(piece);
    EXPECT_EQ(answer.client.ReadUntil(std::string(piece) + "\r\n"),
              "1\r\n" + std::string(piece) + "\r\n");
  }
}

TEST(ServerStream, EndsWithTheConnectionInHttp10) {
  OneAnswer answer("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  answer.response->Start({});
  answer.response->Write("abc");
  answer.response->Finish();
  const std::string response = answer.client.ReadToEnd();
  EXPECT_THAT(response, Not(HasSubstr("Transfer-Encoding")));
  EXPECT_THAT(response, EndsWith("\r\nConnection: close\r\n\r\nabc"));
}

TEST(ServerStream, HasNoBodyForHead) {
  OneAnswer answer("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  answer.response->Start({});
  answer.response->Write("abc");
  answer.response->Finish();
  EXPECT_THAT(answer.client.ReadToEnd(), EndsWith("\r\n\r\n"));
}

TEST(ServerStream, IsBrokenOffWhereItIsLetGo) {
  OneAnswer answer;
  answer.response->Start({});
  answer.response->Write("abc");
  answer.response.reset();
  EXPECT_THAT(answer.client.ReadToEnd(), EndsWith("\r\n\r\n3\r\nabc\r\n"));
}

TEST(ServerStream, TakesWritesOfSeveralThreads) {
  OneAnswer answer;
  answer.response->Start({});
  std::vector<std::thread> threads;
  for (const char* piece : {"aaaa", "bbbb"}) {
    threads.emplace_back([&, piece] {
      for (int i = 0; i < 1000; ++i) answer.response->Write(piece);
    });
  }
  for (std::thread& thread : threads) thread.join();
  answer.response->Finish();
  answer.client.ReadUntil("\r\n\r\n");
  std::string chunks = answer.client.ReadUntil("0\r\n\r\n");
  size_t of_a = 0;
  for (; chunks.size() >= 9; chunks.erase(0, 9)) {
    const std::string chunk = chunks.substr(0, 9);
    if (chunk == "4\r\naaaa\r\n") {
      ++of_a;
    } else {
      ASSERT_EQ(chunk, "4\r\nbbbb\r\n");
    }
  }
  EXPECT_EQ(chunks, "0\r\n\r\n");
  EXPECT_EQ(of_a, 1000U);
}

TEST(ServerStream, IsWrittenToWhenItIsSilent) {
  OneAnswer answer;
  answer.response->Start({});
  answer.response->WriteWhenSilent(milliseconds(20), ": ping\n\n");
  answer.client.ReadUntil("\r\n\r\n");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(answer.client.ReadUntil("\n\n\r\n"), "8\r\n: ping\n\n\r\n");
  }
  answer.response->Finish();
  EXPECT_THAT(answer.client.ReadUntil("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
  answer.client.Send("GET");  // and the connection is as good as ever
  answer.client.SendEnd();
  EXPECT_THAT(answer.client.ReadToEnd(), testing::StartsWith("HTTP/1.1 400 "));
}

// Before the answer, in the middle of it, and with another request already sent.
TEST(ServerStream, TellsWhenTheClientLeaves) {
  for (const bool started : {false, true}) {
    for (const bool pipelined : {false, true}) {
      OneAnswer answer;
      std::promise<void> closed;
      answer.response->OnClosed([&] { closed.set_value(); });
      if (started) answer.response->Start({});
      if (pipelined) answer.client.Send(kGet);
      answer.client.Close();
      EXPECT_EQ(closed.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
      answer.response->Write("nobody reads it");
      answer.response->Finish();
      bool at_once = false;
      answer.response->OnClosed([&] { at_once = true; });
      EXPECT_TRUE(at_once);
    }
  }
}

TEST(ServerStream, TellsNothingOfAClientThatHadAllOfIt) {
  bool closed = false;
  {
    OneAnswer answer;
    answer.response->OnClosed([&] { closed = true; });
    answer.response->Send({}, "{}");
    answer.client.ReadResponse();
    answer.client.Close();
  }
  EXPECT_FALSE(closed);
}

// A callback that holds its own answer is no cycle, and may be the last to let it go.
TEST(ServerStream, LetsGoOfTheCallback) {
  const auto watched = std::make_shared<int>();
  {
    OneAnswer answer;
    answer.response->OnClosed([watched, response = answer.response] {});
    answer.response->OnClosed([watched, response = answer.response] {});
    answer.response->Send({}, "{}");
    answer.client.ReadResponse();
  }
  EXPECT_EQ(watched.use_count(), 1);
}

}  // namespace
}  // namespace bitfetch::http
