// SPDX-License-Identifier: Apache-2.0
#include "serve/request_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/json_value.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

const RequestRecord kRecord = {.client = "10.0.0.1:99",
                               .method = "POST",
                               .path = "/v1/\"\x1b[2J",
                               .status = 200,
                               .prompt_tokens = 12,
                               .cached_tokens = 3,
                               .tokens = 5,
                               .first_token_seconds = 0.25,
                               .seconds = 1.5};

TEST(RequestLog, ALineForAPersonObeysNoTerminalSequence) {
  EXPECT_EQ(LogLine(kRecord, LogFormat::kText, 0),
            "1970-01-01T00:00:00Z 10.0.0.1:99 POST /v1/\"\\x1b[2J 200 in 1.500 s, prompt of 12 "
            "tokens (3 cached), 5 tokens written, the first after 0.250 s");
  EXPECT_EQ(LogLine({.client = "a", .method = "GET", .path = "/", .status = 404}, LogFormat::kText,
                    86400),
            "1970-01-02T00:00:00Z a GET / 404 in 0.000 s");
  EXPECT_EQ(LogLine({.client = "a", .method = "", .path = "", .status = 400}, LogFormat::kText, 0),
            "1970-01-01T00:00:00Z a - - 400 in 0.000 s");
}

TEST(RequestLog, SaysWhyARequestWasRefused) {
  const RequestRecord refused = {.client = "a",
                                 .method = "POST",
                                 .path = "/",
                                 .status = 400,
                                 .error = "max_tokens: '\x1b[2J\n' " + std::string(5000, 'x')};
  const std::string why = R"(max_tokens: '\x1b[2J\x0a' xxx)";
  const std::string text = LogLine(refused, LogFormat::kText, 0);
  EXPECT_THAT(text, HasSubstr("a POST / 400 in 0.000 s: " + why));
  EXPECT_TRUE(text.ends_with("xxx...")) << text;
  EXPECT_LT(text.size(), 300u);
  const std::string json = LogLine(refused, LogFormat::kJson, 0);
  EXPECT_THAT(*ParseJson(json).value().Find<std::string>("error"), HasSubstr(why));
}

TEST(RequestLog, ALineOfJsonIsAnObject) {
  const JsonValue line = ParseJson(LogLine(kRecord, LogFormat::kJson, 0)).value();
  EXPECT_EQ(line.Find<std::string>("error"), nullptr);
  EXPECT_EQ(*line.Find<std::string>("path"), kRecord.path);
  EXPECT_EQ(*line.Find<int64_t>("cached_tokens"), 3);
  EXPECT_EQ(*line.Find<double>("seconds"), 1.5);
}

class FullLog : public testing::TestWithParam<LogFormat> {};

TEST_P(FullLog, IsNotWaitedForAndLostLinesAreCounted) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  RequestLog log(GetParam(), ends[1]);
  for (int i = 0; i < 5000; ++i) log.Write(kRecord);  // far more than a pipe holds
  std::string text;
  char buffer[65536];
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, got);
  EXPECT_TRUE(text.ends_with(GetParam() == LogFormat::kJson ? "1.5000}\n" : "0.250 s\n"));
  log.Write(kRecord);
  const ssize_t got = read(ends[0], buffer, sizeof buffer);
  ASSERT_GT(got, 0);
  const int64_t lost = 5000 - std::ranges::count(text, '\n');
  EXPECT_GT(lost, 0);
  EXPECT_THAT(std::string(buffer, got),
              testing::StartsWith(GetParam() == LogFormat::kJson
                                      ? fmt::format("{{\"lost_lines\":{}}}\n{{\"time\":", lost)
                                      : fmt::format("{} lines", lost)));
  close(ends[0]);
  close(ends[1]);
}

INSTANTIATE_TEST_SUITE_P(, FullLog, testing::Values(LogFormat::kText, LogFormat::kJson));

}  // namespace
}  // namespace bitfetch
