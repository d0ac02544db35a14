// SPDX-License-Identifier: Apache-2.0
#include "bench/serve_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

namespace bitfetch {
namespace {

using testing::HasSubstr;

// Gives every connection the same bytes, in pieces of `piece`.
class CannedServer {
 public:
  explicit CannedServer(std::string answer, size_t piece = 1 << 20)
      : answer_(std::move(answer)), piece_(piece), fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Work(); });
  }
  ~CannedServer() {
    stopping_ = true;
    thread_.join();
    close(fd_);
  }

  ServerUrl url() const { return {.host = "127.0.0.1", .port = std::to_string(port_), .path = ""}; }
  std::string request() const { return request_; }  // the last one

 private:
  void Work() {
    while (!stopping_) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, 10) != 1) continue;
      const int client = accept(fd_, nullptr, nullptr);
      char buffer[65536];
      request_.clear();
      while (request_.find("stream_options") == std::string::npos) {
        const ssize_t got = recv(client, buffer, sizeof buffer, 0);
        if (got <= 0) break;
        request_.append(buffer, static_cast<size_t>(got));
      }
      for (size_t at = 0; at < answer_.size(); at += piece_) {
        send(client, answer_.data() + at, std::min(piece_, answer_.size() - at), MSG_NOSIGNAL);
      }
      close(client);
    }
  }

  std::string answer_;
  size_t piece_;
  int fd_;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::string request_;
  std::thread thread_;
};

const std::string kEvents =
    ": ping\n\n"
    "data: {\"choices\":[{\"text\":\"\"}]}\n\n"
    "data: {\"choices\":[{\"text\":\"one\"}]}\n\n"
    "data: {\"choices\":[{\"text\":\" two\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"completion_tokens\":7}}\n\n"
    "data: [DONE]\n\n";

std::string Chunked(const std::string& text, size_t size) {
  std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < text.size(); at += size) {
    const std::string part = text.substr(at, size);
    answer += fmt::format("{:x}\r\n{}\r\n", part.size(), part);
  }
  return answer + "0\r\n\r\n";
}

Result<ServeBenchRow> RunOne(const CannedServer& server, ServeBenchOptions options = {}) {
  options.server = server.url();
  options.concurrency = {2};
  options.requests = 4;
  options.prompt_tokens = 5;
  Result<ServeBenchRow> row;
  const Status ran = BenchServe(options, [&](const ServeBenchRow& one, int64_t, int64_t) -> Status {
    row = one;
    return {};
  });
  if (!ran) return tl::unexpected(ran.error());
  return row;
}

TEST(ServeBench, CountsWhatComesHoweverItIsCut) {
  for (const size_t chunk : {1, 7, 1000}) {
    for (const size_t piece : {1, 1000}) {
      const CannedServer server(Chunked(kEvents, chunk), piece);
      const ServeBenchRow row = RunOne(server, {.api_key = "key"}).value();
      EXPECT_EQ(row.completed, 4);
      EXPECT_EQ(row.failed, 0);
      EXPECT_EQ(row.input_tokens, 20);
      EXPECT_EQ(row.output_tokens, 28);
      EXPECT_GT(row.ttft_ms.median, 0);
      EXPECT_GE(row.e2el_ms.median, row.ttft_ms.median);
      EXPECT_EQ(row.request_goodput, row.request_throughput);
      EXPECT_THAT(server.request(), HasSubstr("\r\nAuthorization: Bearer key\r\n"));
    }
  }
}

TEST(ServeBench, ServersWithoutChunksEndWithTheConnection) {
  const CannedServer server("HTTP/1.0 200 OK\r\n\r\n" + kEvents);
  EXPECT_EQ(RunOne(server).value().completed, 4);
}

TEST(ServeBench, WhatGoesWrongIsTold) {
  const auto error = [](const std::string& answer) {
    const CannedServer server(answer);
    return RunOne(server).error().message;
  };
  EXPECT_THAT(error("HTTP/1.1 429 Too Many Requests\r\n\r\n{\"error\":\"busy\"}"),
              HasSubstr("429 Too Many Requests: {\"error\":\"busy\"}"));
  EXPECT_THAT(error(""), HasSubstr("without an answer"));
  const std::string whole = Chunked(kEvents, 50);
  EXPECT_THAT(error(whole.substr(0, whole.size() / 2)), HasSubstr("broke the stream off"));
  EXPECT_THAT(error(Chunked("data: {\"error\":{\"message\":\"no memory\"}}\n\n", 9)),
              HasSubstr("no memory"));
  EXPECT_THAT(error(Chunked("data: nonsense\n\n", 9)), HasSubstr("JSON"));
  EXPECT_THAT(error(Chunked("data: [DONE]\n\n", 9)), HasSubstr("had no text"));
  ServeBenchOptions nowhere;
  nowhere.server = {.host = "127.0.0.1", .port = "1", .path = ""};
  EXPECT_FALSE(BenchServe(nowhere, {}));
}

TEST(ServeBench, SummariesAreOfRanks) {
  std::vector<double> ms;
  for (int i = 100; i > 0; --i) ms.push_back(i);
  const LatencySummary summary = Summarize(ms);
  EXPECT_EQ(summary.mean, 50.5);
  EXPECT_EQ(summary.median, 50);
  EXPECT_EQ(summary.p90, 90);
  EXPECT_EQ(summary.p99, 99);
  EXPECT_EQ(Summarize({3}).p99, 3);
  EXPECT_EQ(Summarize({}).median, 0);
}

TEST(ServeUrl, HasAHostAPortAndAPath) {
  const auto parts = [](std::string_view url) {
    const ServerUrl parsed = ParseServerUrl(url).value();
    return parsed.host + "|" + parsed.port + "|" + parsed.path;
  };
  EXPECT_EQ(parts("http://a"), "a|80|");
  EXPECT_EQ(parts("http://a:8080/"), "a|8080|");
  EXPECT_EQ(parts("http://a:8080/below/"), "a|8080|/below");
  EXPECT_EQ(parts("http://[::1]:8080"), "::1|8080|");
  EXPECT_EQ(parts("http://[::1]"), "::1|80|");
  for (const char* wrong : {"", "a:80", "https://a", "http://", "http://:80"}) {
    EXPECT_FALSE(ParseServerUrl(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace bitfetch
