// SPDX-License-Identifier: Apache-2.0
#include "serve/api_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "base/json_value.h"
#include "engine/generate.h"
#include "engine/read_chat_template.h"
#include "engine/read_tokenizer.h"
#include "serve/http/test_client.h"
#include "text/constraint/test_validator.h"

namespace bitfetch {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

const char* const kTiny = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

// A context that no answer fills before a test has seen it begun.
EngineOptions QuietOptions() {
  EngineOptions options{.threads = 2, .context = 8192, .kv_tokens = 20480, .pages = PageSize::k4K};
  options.prefetch.mode = PrefetchSetting::Mode::kOff;
  return options;
}

class ApiServerTest : public testing::Test {
 protected:
  void Open(const ApiServerOptions& options = {}) {
    engine_ = Engine::Open(kTiny, QuietOptions()).value();
    const GgufReader& file = engine_->model().file();
    ServedModel model{.id = "tiny",
                      .created = 1,
                      .tokenizer = ReadTokenizer(file).value(),
                      .context = engine_->context()};
    model.chat_template = ReadChatTemplate(file, model.tokenizer).value();
    server_ = ApiServer::Open(engine_.get(), std::move(model), options).value();
    port_ = std::stoi(server_->url().substr(server_->url().rfind(':') + 1));
  }

  static std::string Request(std::string_view method, std::string_view path, std::string_view body,
                             std::string_view headers = "") {
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}{}\r\n{}", method, path, headers,
        body.empty() ? "" : fmt::format("Content-Length: {}\r\n", body.size()), body);
  }
  // All that the server sends.
  std::string Ask(const std::string& request) const {
    http::TestClient client(port_);
    client.Send(request);
    return client.ReadToEnd();
  }
  std::string Get(std::string_view path, std::string_view headers = "") const {
    return Ask(Request("GET", path, "", headers));
  }
  std::string Post(std::string_view path, std::string_view body,
                   std::string_view headers = "") const {
    return Ask(Request("POST", path, body, headers));
  }
  static std::string Body(const std::string& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
  }

  // Until a sample of /metrics is this, or for ten seconds.
  void WaitForMetric(const std::string& sample) const {
    for (int i = 0; i < 1000 && Get("/metrics").find(sample + "\n") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_THAT(Get("/metrics"), HasSubstr(sample + "\n"));
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ApiServer> server_;
  int port_ = 0;
};

// The text of a completion, whole or streamed.
std::string TextOf(const std::string& response) {
  const std::string body = response.substr(response.find("\r\n\r\n") + 4);
  const auto text = [](std::string_view json) {
    const JsonValue value = ParseJson(json).value();
    std::string all;
    for (const JsonValue& choice : *value.Find<JsonValue::List>("choices")) {
      all += *choice.Find<std::string>("text");
    }
    return all;
  };
  if (response.find("text/event-stream") == std::string::npos) return text(body);
  std::string all;
  constexpr std::string_view kData = "data: {";
  for (size_t at = 0; (at = body.find(kData, at)) != std::string::npos;) {
    const size_t end = body.find("\n\n", at);
    all += text(body.substr(at + kData.size() - 1, end - at - kData.size() + 1));
    at = end;
  }
  return all;
}

TEST_F(ApiServerTest, AnswersHaveTheTextOfGenerateStreamedOrNot) {
  Open();
  const auto session = Session::Open(kTiny, QuietOptions()).value();
  const Tokenizer tokenizer = ReadTokenizer(session->model().file()).value();
  SamplerOptions sampling = kUsualSampling;
  sampling.seed = 7;
  Sampler sampler = Sampler::Create(sampling).value();
  std::string alone;
  const auto on_text = [&](std::string_view text) {
    alone += text;
    return true;
  };
  ASSERT_TRUE(Generate(*session, tokenizer, sampler, tokenizer.Encode("And God", true).value(),
                       {.max_tokens = 30}, on_text, {}, false));
  const std::string whole =
      Post("/v1/completions", R"({"prompt": "And God", "max_tokens": 30, "seed": 7})");
  EXPECT_THAT(whole, StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(TextOf(whole), alone);
  const std::string streamed = Post(
      "/v1/completions", R"({"prompt": "And God", "max_tokens": 30, "seed": 7, "stream": true})");
  EXPECT_THAT(streamed, HasSubstr("X-Accel-Buffering: no"));
  EXPECT_THAT(streamed, HasSubstr("data: [DONE]"));
  EXPECT_EQ(TextOf(streamed), alone);
}

// Drafts of one answer follow from its text: pass by pass it is replayed.
TEST_F(ApiServerTest, MetricsTellHowManyGuessesStood) {
  constexpr int kDraft = 4, kTokens = 60;
  Open({.draft = kDraft});
  const auto session = Session::Open(kTiny, QuietOptions()).value();
  const Tokenizer tokenizer = ReadTokenizer(session->model().file()).value();
  Sampler greedy = Sampler::Create({}).value();
  const std::vector<int> prompt = tokenizer.Encode("And God said, And God", true).value();
  const auto made = Generate(
      *session, tokenizer, greedy, prompt, {.max_tokens = kTokens, .draft = kDraftOff},
      [](std::string_view) { return true; }, {}, false);
  ASSERT_TRUE(made);
  std::vector<int> text = session->tokens();
  text.insert(text.end(), made->tail.begin(), made->tail.end());
  Drafter drafter(kDraft);
  int64_t drafts = 0, guessed = 0, stood = 0;
  drafter.Append(prompt);
  for (int64_t drawn = std::ssize(prompt); drawn + 1 < std::ssize(text);) {
    drafter.Append({&text[drawn], 1});
    const std::vector<int> guesses = drafter.Guess(std::ssize(text) - drawn - 2, PassCost());
    drafts += guesses.empty() ? 0 : 1;
    guessed += std::ssize(guesses);
    ++drawn;
    for (size_t i = 0; i < guesses.size() && guesses[i] == text[drawn]; ++i, ++drawn) {
      drafter.Append({&text[drawn], 1});
      ++stood;
    }
  }
  ASSERT_GT(stood, 0);
  ASSERT_GT(guessed, stood);

  Post("/v1/completions",
       fmt::format(R"({{"prompt": "And God said, And God", "max_tokens": {}, "temperature": 0}})",
                   kTokens));
  WaitForMetric("bitfetch_num_requests_running 0");
  const std::string metrics = Get("/metrics");
  for (const auto& [name, value] :
       {std::pair("drafts", drafts), {"draft_tokens", guessed}, {"accepted_tokens", stood}}) {
    EXPECT_THAT(metrics, HasSubstr(fmt::format("_spec_decode_num_{}_total {}\n", name, value)));
  }
}

TEST_F(ApiServerTest, AnswersMeetTheSchemaStreamedOrNot) {
  Open();
  const std::string schema =
      R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},)"
      R"("age": {"type": "integer", "minimum": 0, "maximum": 150},)"
      R"("tags": {"type": "array", "items": {"enum": ["a", "bc"]}, "maxItems": 3}},)"
      R"("required": ["name", "age"], "additionalProperties": false})";
  const JsonValue parsed_schema = ParseJson(schema).value();
  for (int seed = 0; seed < 8; ++seed) {
    const auto ask = [&](bool stream) {
      return Post(
          "/v1/completions",
          fmt::format(
              R"({{"prompt": "And God", "seed": {}, "stream": {}, "response_format": {{"type": "json_schema", "json_schema": {{"name": "x", "schema": {}}}}}}})",
              seed, stream, schema));
    };
    const std::string whole = ask(false);
    EXPECT_THAT(whole, HasSubstr(R"("finish_reason":"stop")"));
    const auto answer = ParseJson(TextOf(whole));
    ASSERT_TRUE(answer) << whole;
    EXPECT_TRUE(Validator(parsed_schema).Meets(*answer)) << whole;
    EXPECT_EQ(TextOf(ask(true)), TextOf(whole));
  }
}

TEST_F(ApiServerTest, EachPathHasItsMethod) {
  Open();
  const struct {
    const char* method;
    const char* path;
    int status;
  } kCases[] = {
      {"GET", "/health", 200},       {"HEAD", "/health", 200},
      {"GET", "/metrics", 200},      {"GET", "/", 200},
      {"POST", "/health", 405},      {"GET", "/v1/completions", 405},
      {"DELETE", "/v1/models", 405}, {"GET", "/nothing", 404},
      {"POST", "/nothing", 404},     {"OPTIONS", "/v1/completions", 204},
      {"OPTIONS", "/nothing", 204},  {"GET", "/v1/completions/", 404},
  };
  for (const auto& [method, path, status] : kCases) {
    const std::string response = Ask(Request(method, path, ""));
    EXPECT_THAT(response, StartsWith(fmt::format("HTTP/1.1 {} ", status))) << method << path;
    EXPECT_THAT(response, testing::Not(HasSubstr("Access-Control")));
    if (status >= 400) {
      EXPECT_NE(ParseJson(Body(response)).value().Find("error"), nullptr) << response;
    }
  }
  EXPECT_THAT(Post("/health", ""), HasSubstr("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
  EXPECT_THAT(Get("/v1/completions"), HasSubstr("\r\nAllow: POST, OPTIONS\r\n"));
}

TEST_F(ApiServerTest, AKeyOpensAllButHealthAndThePage) {
  Open({.keys = {"secret"}});
  const char* kBody = R"({"prompt": "a", "max_tokens": 1})";
  EXPECT_THAT(Get("/health"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(Request("OPTIONS", "/metrics", "")), StartsWith("HTTP/1.1 204"));
  for (const char* wrong : {"", "Authorization: Bearer secre\r\n", "Authorization: secret\r\n",
                            "Authorization: Basic secret\r\n", "x-api-key: \r\n"}) {
    EXPECT_THAT(Post("/v1/completions", kBody, wrong), StartsWith("HTTP/1.1 401")) << wrong;
    EXPECT_THAT(Get("/metrics", wrong), StartsWith("HTTP/1.1 401")) << wrong;
    EXPECT_THAT(Get("/nothing", wrong), StartsWith("HTTP/1.1 401")) << wrong;
  }
  for (const char* right : {"Authorization: Bearer secret\r\n", "authorization: bearer secret\r\n",
                            "X-Api-Key: secret\r\n"}) {
    EXPECT_THAT(Post("/v1/completions", kBody, right), StartsWith("HTTP/1.1 200")) << right;
  }
}

TEST_F(ApiServerTest, PagesOfAnOriginMayAskWhereTheUserSaysSo) {
  Open({.cors_origin = "https://a.example"});
  const std::string allowed = "Access-Control-Allow-Origin: https://a.example\r\n";
  EXPECT_THAT(Get("/health"), HasSubstr(allowed));
  EXPECT_THAT(Get("/nothing"), HasSubstr(allowed));
  const std::string preflight = Ask(Request("OPTIONS", "/v1/completions", "",
                                            "Access-Control-Request-Headers: authorization\r\n"));
  EXPECT_THAT(preflight, HasSubstr(allowed));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Headers: authorization\r\n"));
}

TEST_F(ApiServerTest, WhoLeavesFreesTheirPlace) {
  Open();
  for (const bool stream : {true, false}) {
    http::TestClient client(port_);
    client.Send(Request(
        "POST", "/v1/completions",
        fmt::format(R"({{"prompt": "In", "ignore_eos": true, "stream": {}, "n": 2}})", stream)));
    WaitForMetric("bitfetch_num_requests_running 2");
    client.Close();
    WaitForMetric("bitfetch_num_requests_running 0");
  }
  EXPECT_THAT(Get("/metrics"), HasSubstr("finished_reason=\"abort\"} 4\n"));
  EXPECT_THAT(Get("/metrics"), HasSubstr("bitfetch_kv_cache_usage_perc 0\n"));
}

TEST_F(ApiServerTest, WhoFindsNoPlaceIsToldToTryAgain) {
  Open({.scheduler = {.parallel = 1, .queue = 0}});
  http::TestClient first(port_);
  first.Send(Request("POST", "/v1/completions", R"({"prompt": "In", "ignore_eos": true})"));
  WaitForMetric("bitfetch_num_requests_running 1");
  const std::string refused = Post("/v1/completions", R"({"prompt": "In"})");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1\r\n"));
}

TEST_F(ApiServerTest, WhatIsRefusedUnreadIsCounted) {
  Open();
  EXPECT_THAT(Get("/%00"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  const std::string metrics = Get("/metrics");
  EXPECT_THAT(metrics, HasSubstr("http_responses_total{status=\"400\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("http_responses_total{status=\"413\"} 1\n"));
}

TEST_F(ApiServerTest, BodiesThatWaitToBeReadAreLimited) {
  Open({.max_unread = 1000});
  const auto body = [](size_t size) {
    return fmt::format(R"({{"prompt": "In", "max_tokens": 1, "user": "{}"}})",
                       std::string(size, 'a'));
  };
  const std::string refused = Post("/v1/completions", body(1000));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1\r\n"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Post("/v1/completions", body(800)), StartsWith("HTTP/1.1 200 "));
  }
}

TEST_F(ApiServerTest, DrainingFinishesWhatWasBegunAndTakesNothingMore) {
  Open();
  http::TestClient idle(port_);  // connected before
  std::string answer;
  std::thread client([&] {
    answer = Post("/v1/completions", R"({"prompt": "In", "max_tokens": 300, "ignore_eos": true})");
  });
  WaitForMetric("bitfetch_num_requests_running 1");
  std::thread drain([&] { EXPECT_TRUE(server_->Drain(std::chrono::seconds(30))); });
  idle.Send(Request("POST", "/v1/completions", R"({"prompt": "In", "max_tokens": 1})"));
  client.join();
  drain.join();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(*ParseJson(Body(answer)).value().Find("usage")->Find<int64_t>("completion_tokens"),
            300);
}

TEST_F(ApiServerTest, WhatIsNotFinishedInTimeIsToldSo) {
  Open();
  const auto ask = [](std::string_view path, bool stream) {
    const std::string_view body =
        R"({{"prompt": "In", "messages": [{{"role": "user", "content": "In"}}], "ignore_eos": true, "stream": {}}})";
    return Request("POST", path, fmt::format(fmt::runtime(body), stream));
  };
  http::TestClient stream(port_), messages(port_), whole(port_);
  stream.Send(ask("/v1/completions", true));
  messages.Send(ask("/v1/messages", true));
  whole.Send(ask("/v1/completions", false));
  WaitForMetric("bitfetch_num_requests_running 3");
  EXPECT_FALSE(server_->Drain(std::chrono::seconds(0)));
  EXPECT_THAT(stream.ReadToEnd(),
              ContainsRegex("\ndata: .\"error\":.*shutting down.*\n\n\r\n0\r\n\r\n$"));
  EXPECT_THAT(messages.ReadToEnd(),
              ContainsRegex("\nevent: error\ndata: .*overloaded_error.*\n\n\r\n0\r\n\r\n$"));
  const std::string refused = whole.ReadToEnd();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1\r\n"));
}

TEST_F(ApiServerTest, MistakesOfAClientAreNamedAndNeverTheServers) {
  Open();
  for (const char* body :
       {"", "{", "[]", "null", "{\"prompt\": 1.5}", "{\"prompt\": \"a\", \"n\": 100000000}",
        (R"({"prompt": "a", "response_format": {"type": "json_schema", "json_schema": {"schema":)"
         R"({"$ref": "#"}}}})")}) {
    const std::string response = Post("/v1/completions", body);
    EXPECT_THAT(response, StartsWith("HTTP/1.1 400")) << body;
    EXPECT_NE(ParseJson(Body(response)).value().Find("error"), nullptr) << response;
  }
  EXPECT_THAT(Post("/v1/completions", R"({"prompt": "In", "max_tokens": 1})"),
              StartsWith("HTTP/1.1 200"));
}

// Clients that come, go and share prefixes: each gets what it gets alone.
TEST_F(ApiServerTest, ManyAtOnceGetTheTextThatEachGetsAlone) {
  Open({.scheduler = {.parallel = 8}});
  const auto body = [](int i) {
    return fmt::format(R"({{"prompt": "{}", "max_tokens": {}, "seed": {}, "stream": {}}})",
                       std::string("In the beginning God created").substr(0, 6 + i % 22),
                       5 + i * 7 % 40, i, i % 2 == 0);
  };
  std::vector<std::string> alone, together(24);
  for (int i = 0; i < 24; ++i) alone.push_back(TextOf(Post("/v1/completions", body(i))));
  std::vector<std::thread> clients;
  for (int i = 0; i < 24; ++i) {
    clients.emplace_back([&, i] {
      if (i % 5 == 4) {
        http::TestClient leaver(port_);
        leaver.Send(Request("POST", "/v1/completions", body(i)));
        std::this_thread::sleep_for(std::chrono::milliseconds(i));
      }
      together[i] = TextOf(Post("/v1/completions", body(i)));
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(together, alone);
  WaitForMetric("bitfetch_num_requests_running 0");
  EXPECT_EQ(engine_->pool().Available(), engine_->pool().limit());
}

}  // namespace
}  // namespace bitfetch
