// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_value.h"
#include "serve/http/test_client.h"
#include "serve/http/test_requests.h"
#include "serve/http/test_server.h"

namespace bitfetch::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string Get(int port) {
  TestClient client(port);
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  return client.ReadResponse();
}

// A response that says in JSON why there is no other, and ends the connection.
testing::AssertionResult IsRefusal(const std::string& response, int status) {
  const size_t end = response.find("\r\n\r\n");
  if (end == std::string::npos) return testing::AssertionFailure() << "no response: " << response;
  const std::string body = response.substr(end + 4);
  const auto json = ParseJson(body);
  const int64_t* told = json ? json->Find<int64_t>("status") : nullptr;
  if (!response.starts_with("HTTP/1.1 " + std::to_string(status) + " ") || told == nullptr ||
      *told != status || response.find("\r\nConnection: close\r\n") == std::string::npos ||
      response.find("\r\nContent-Type: application/json\r\n") == std::string::npos ||
      response.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") ==
          std::string::npos) {
    return testing::AssertionFailure() << response;
  }
  return testing::AssertionSuccess();
}

class HostileRequests : public testing::Test {
 protected:
  HostileRequests()
      : server_(StartServer(AnswerOk, {.max_header = kTestMaxHeader, .max_body = kTestMaxBody})) {}
  ~HostileRequests() override { EXPECT_THAT(Get(server_->port()), EndsWith("\r\n\r\n{}")); }

  std::unique_ptr<Server> server_;
};

TEST_F(HostileRequests, AreRefusedInJson) {
  for (const BadRequest& bad : BadRequests()) {
    TestClient client(server_->port());
    client.Send(bad.bytes);
    EXPECT_TRUE(IsRefusal(client.ReadToEnd(), bad.status)) << bad.name;
  }
}

TEST_F(HostileRequests, BehindAGoodOneAreRefusedAfterItsAnswer) {
  TestClient client(server_->port());
  client.Send(
      "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /%00 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n");
  EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\n{}"));
  EXPECT_TRUE(IsRefusal(client.ReadToEnd(), 400));
}

TEST_F(HostileRequests, ThatEndEarlyAreRefused) {
  for (const char* bytes :
       {"GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"}) {
    TestClient client(server_->port());
    client.Send(bytes);
    client.SendEnd();
    EXPECT_TRUE(IsRefusal(client.ReadToEnd(), 400)) << bytes;
  }
}

TEST_F(HostileRequests, OfTenMegabytesOfHeaderStillGetTheirAnswer) {
  TestClient client(server_->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\na: ");
  EXPECT_TRUE(client.Send(std::string(10 << 20, 'a')));
  EXPECT_TRUE(IsRefusal(client.ReadToEnd(), 431));
}

TEST_F(HostileRequests, OfTenMegabytesOfBodyStillGetTheirAnswer) {
  TestClient client(server_->port());
  client.Send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n");
  EXPECT_TRUE(client.Send(std::string(10 << 20, 'a')));
  const std::string response = client.ReadToEnd();
  EXPECT_TRUE(IsRefusal(response, 413));
  EXPECT_THAT(response, HasSubstr("\"path\":\"/a\""));
}

TEST_F(HostileRequests, ToAHeadGetNoBody) {
  TestClient client(server_->port());
  client.Send("HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
  const std::string response = client.ReadToEnd();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(response, EndsWith("\r\n\r\n"));
}

TEST_F(HostileRequests, HalfSentByThreeHundredKeepNobodyWaiting) {
  std::vector<TestClient> clients;
  for (int i = 0; i < 300; ++i) {
    clients.emplace_back(server_->port());
    clients.back().Send(i % 2 == 0 ? "GET / HTTP/1.1\r\nHost: "
                                   : "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na");
  }
  EXPECT_THAT(Get(server_->port()), EndsWith("\r\n\r\n{}"));
}

TEST(HeadersOfResponses, CannotSmuggleInALine) {
  const auto server = StartServer([](const Request&, const std::shared_ptr<Response>& response) {
    response->Send({.content_type = "text/plain\r\nEvil: 1",
                    .more = {{"A", "b\r\nEvil: 2"},
                             {"C", std::string("d\0", 2)},
                             {"Evil: 3\r\n", "e"},
                             {"", "f"},
                             {"Good", "\tg \xc3\xa4"}}},
                   "{}");
  });
  const std::string response = Get(server->port());
  EXPECT_THAT(response, testing::Not(HasSubstr("Evil")));
  EXPECT_THAT(response, testing::Not(HasSubstr("\r\nC:")));
  EXPECT_THAT(response, HasSubstr("\r\nGood: \tg \xc3\xa4\r\n"));
}

}  // namespace
}  // namespace bitfetch::http
