// SPDX-License-Identifier: Apache-2.0
// `bitfetch serve` as a user meets it. What it answers: src/serve/api_server_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "base/sanitized.h"
#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "serve/http/test_client.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// On a free port unless `more` says another.
std::vector<std::string> Serve(std::vector<std::string> more = {}) {
  for (const auto& [option, value] :
       std::map<std::string, std::string>{{"--port", "0"}, {"--kv-memory", "64M"}, {"-c", "256"}}) {
    if (std::ranges::find(more, option) == more.end()) more.insert(more.end(), {option, value});
  }
  return With({"serve"}, more);
}

// The port that a server tells of.
int PortOf(Program& server) {
  constexpr std::string_view kBefore = "listening on http://127.0.0.1:";
  const std::string said = server.WaitForOut(kBefore.size() + 3);
  EXPECT_TRUE(said.starts_with(kBefore)) << said;
  return said.starts_with(kBefore) ? std::stoi(said.substr(kBefore.size())) : 0;
}

std::string Ask(int port, std::string_view request) {
  http::TestClient client(port);
  client.Send(request);
  return client.ReadToEnd();
}

std::string Completion(std::string_view body) {
  return "POST /v1/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

const char* const kHealth = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
// Outlasts whatever a test does meanwhile where the context is long.
const char* const kEndless = R"({"prompt": "In", "ignore_eos": true, "stream": true})";

TEST(Serve, AnswersUntilItIsTerminated) {
  Program server(Serve());
  const int port = PortOf(server);
  EXPECT_THAT(Ask(port, kHealth), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(port, Completion(R"({"prompt": "In", "max_tokens": 3})")),
              StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(server.WaitForErr("POST /v1/completions 200"));
  EXPECT_THAT(Ask(port, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(server.WaitForErr("POST /a 413"));
  server.Signal(SIGTERM);
  const Finished finished = server.Wait();
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(Lines(finished.out), 1);
}

TEST(Serve, WhatWasBegunIsFinishedAfterTheFirstSignalAndBrokenOffAfterTheSecond) {
  Program server(Serve({"-c", "16384"}));
  const int port = PortOf(server);
  http::TestClient client(port);
  client.Send(Completion(R"({"prompt": "In", "max_tokens": 200, "ignore_eos": true})"));
  http::TestClient endless(port);
  endless.Send(Completion(kEndless));
  EXPECT_THAT(endless.ReadUntil("data: "), HasSubstr("200 OK"));
  server.Signal(SIGTERM);
  EXPECT_TRUE(server.WaitForErr("finishing what was begun"));
  EXPECT_THAT(Ask(port, kHealth), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("\"completion_tokens\":200"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait().code, 143);
}

TEST(Serve, WhatTakesLongerThanItMayIsBrokenOff) {
  Program server(Serve({"--drain", "0", "-c", "16384"}));
  const int port = PortOf(server);
  http::TestClient endless(port);
  endless.Send(Completion(kEndless));
  EXPECT_THAT(endless.ReadUntil("data: "), HasSubstr("200 OK"));
  server.Signal(SIGINT);
  const Finished finished = server.Wait();
  EXPECT_EQ(finished.code, 130) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("is broken off"));
}

TEST(Serve, WhereDescriptorsAreFewWhoIsTooManyIsToldSo) {
  Program server(Serve(), "", SIZE_MAX, [] {
    const rlimit few{64, 64};
    setrlimit(RLIMIT_NOFILE, &few);
  });
  const int port = PortOf(server);
  std::vector<http::TestClient> idle;
  for (int i = 0; i < 32; ++i) idle.emplace_back(port);
  const std::string refused = Ask(port, kHealth);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("too many connections"));
  idle.pop_back();
  while (!Ask(port, kHealth).starts_with("HTTP/1.1 200")) continue;
}

TEST(Serve, WhereMemoryIsShortALargeRequestIsToldSo) {
  if (kIsSanitized || !std::string_view(BITFETCH_EMULATOR).empty()) {
    GTEST_SKIP() << "they take memory of their own";
  }
  Program server(Serve(), "", SIZE_MAX, [] { setenv("MALLOC_ARENA_MAX", "1", 1); });
  const int port = PortOf(server);
  const std::string small = Completion(R"({"prompt": "In", "max_tokens": 1})");
  EXPECT_THAT(Ask(port, small), StartsWith("HTTP/1.1 200"));
  rlim_t pages = 0;
  std::ifstream("/proc/" + std::to_string(server.pid()) + "/statm") >> pages;
  const rlim_t bytes = pages * sysconf(_SC_PAGESIZE) + (8 << 20);
  const rlimit little{bytes, bytes};
  ASSERT_EQ(prlimit(server.pid(), RLIMIT_AS, &little, nullptr), 0);
  const std::string refused =
      Ask(port, Completion(R"({"prompt": "In", "user": ")" + std::string(15 << 20, 'a') + "\"}"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("out of memory"));
  EXPECT_THAT(Ask(port, small), StartsWith("HTTP/1.1 200"));
}

TEST(Serve, AddressesThatOthersReachAreWarnedOf) {
  const std::string warning = "anyone there may use it";
  Program open(Serve({"--host", "0.0.0.0"}));
  EXPECT_TRUE(open.WaitForErr(warning));
  Program guarded(Serve({"--host", "0.0.0.0", "--api-key", "secret"}));
  guarded.WaitForOut(20);
  guarded.Signal(SIGTERM);
  EXPECT_THAT(guarded.Wait().err, testing::Not(HasSubstr(warning)));
}

TEST(Serve, WhatIsWrongIsOneLine) {
  const TempDir folder;
  const std::string empty = folder.Path("empty");
  WriteText(empty, "# no key\n");
  Program server(Serve());
  const std::string port = std::to_string(PortOf(server));
  ExpectError(RunProgram(Serve({"--port", port})), port);
  ExpectError(RunProgram(Serve({"--host", "192.0.2.1"})), "192.0.2.1");
  ExpectError(RunProgram(Serve({"--api-key-file", empty})), "no key");
  ExpectError(RunProgram(Serve({"--api-key-file", folder.Path("missing")})), "missing");
  ExpectError(RunProgram(Serve({"--api-key", "two words"})), "API key");
  ExpectError(RunProgram(Serve({"--tls-cert", empty, "--tls-key", empty})), empty);
  ExpectError(RunProgram(Serve({"--kv-memory", "1K"})), "more KV cache than");
}

TEST(Serve, BadUsage) {
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {"--port", "65536"},
           {"--port", "http"},
           {"--parallel", "0"},
           {"--parallel", "65"},
           {"--queue", "-1"},
           {"--kv-memory", "4X"},
           {"--kv-memory", "-1G"},
           {"--kv-memory", "many"},
           {"--log", "xml"},
           {"--ping", "-1"},
           {"--tls-cert", "a.pem"},
       }) {
    EXPECT_EQ(RunProgram(Serve(more)).code, 2) << more[0] << more[1];
  }
}

}  // namespace
}  // namespace bitfetch
