// SPDX-License-Identifier: Apache-2.0
#include "serve/http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/http/test_requests.h"

namespace bitfetch::http {
namespace {

using testing::ElementsAre;
using testing::Pair;
using State = RequestReader::State;

// Gives a reader the bytes in pieces of this size, those that it leaves again with the next piece.
// Returns what it leaves in the end.
std::string FeedInPieces(std::string_view bytes, size_t size, RequestReader* reader) {
  std::string waiting;
  while (!bytes.empty()) {
    waiting += bytes.substr(0, size);
    bytes.remove_prefix(std::min(size, bytes.size()));
    waiting.erase(0, reader->Feed(waiting));
  }
  return waiting;
}

TEST(RequestReader, ReadsARequestHoweverItIsCut) {
  const std::string bytes =
      "\r\n\r\nPOST /a%62?c HTTP/1.1\r\nhOST: x\r\nA:  b \r\nFolded: c\r\n d\r\n"
      "Transfer-Encoding: Chunked\r\n\r\n"
      "5;e=\"f\"\r\nhello\r\n0001\r\n!\r\n0\r\nTrailer: g\r\n\r\n"
      "GET /next";
  for (size_t size = 1; size <= bytes.size(); ++size) {
    RequestReader reader(kTestMaxHeader, kTestMaxBody);
    EXPECT_EQ(FeedInPieces(bytes, size, &reader), "GET /next");
    ASSERT_EQ(reader.state(), State::kDone) << size;
    EXPECT_TRUE(reader.keep_alive());
    EXPECT_FALSE(reader.http10());
    EXPECT_EQ(reader.request().method, "POST");
    EXPECT_EQ(reader.request().path, "/ab");
    EXPECT_EQ(reader.request().query, "c");
    EXPECT_EQ(reader.request().body, "hello!");
    EXPECT_THAT(reader.request().headers,
                ElementsAre(Pair("hOST", "x"), Pair("A", "b"), Pair("Folded", "c d"),
                            Pair("Transfer-Encoding", "Chunked")));
    EXPECT_EQ(*FindHeader(reader.request().headers, "host"), "x");
    EXPECT_EQ(FindHeader(reader.request().headers, "trailer"), nullptr);
  }
}

TEST(RequestReader, SaysWhetherTheConnectionGoesOn) {
  for (const auto& [bytes, keep_alive] : std::vector<std::pair<std::string, bool>>{
           {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
           {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
           {"GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n\r\n", false},
           {"GET / HTTP/1.0\r\n\r\n", false},
           {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
       }) {
    RequestReader reader(kTestMaxHeader, kTestMaxBody);
    EXPECT_EQ(reader.Feed(bytes), bytes.size());
    ASSERT_EQ(reader.state(), State::kDone) << bytes;
    EXPECT_EQ(reader.keep_alive(), keep_alive) << bytes;
  }
}

TEST(RequestReader, SaysThatTheClientWaits) {
  const std::string header =
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  RequestReader reader(kTestMaxHeader, kTestMaxBody);
  EXPECT_EQ(reader.Feed(header), header.size());
  EXPECT_EQ(reader.state(), State::kBody);
  EXPECT_TRUE(reader.awaits_continue());
  reader.Feed("a");
  EXPECT_FALSE(reader.awaits_continue());
  reader.Feed("b");
  EXPECT_EQ(reader.state(), State::kDone);
}

TEST(RequestReader, TakesWhatIsJustWithinTheLimits) {
  std::string header = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\na: ";
  header += std::string(kTestMaxHeader - header.size() - 4, 'a') + "\r\n\r\n";
  for (const size_t size : {size_t{1}, size_t{999}, size_t{10'000}}) {
    RequestReader reader(kTestMaxHeader, kTestMaxBody);
    FeedInPieces(header + std::string(100, 'b'), size, &reader);
    EXPECT_EQ(reader.state(), State::kDone) << size;
  }
}

TEST(RequestReader, RefusesBadRequestsHoweverTheyAreCut) {
  for (const BadRequest& bad : BadRequests()) {
    for (const size_t size : {1, 2, 3, 7, 100, 10'000}) {
      RequestReader reader(kTestMaxHeader, kTestMaxBody);
      FeedInPieces(bad.bytes, size, &reader);
      ASSERT_EQ(reader.state(), State::kRefused) << bad.name << " in pieces of " << size;
      EXPECT_EQ(reader.refusal().status, bad.status) << bad.name << " in pieces of " << size;
      EXPECT_NE(reader.refusal().message, "");
    }
  }
}

}  // namespace
}  // namespace bitfetch::http
