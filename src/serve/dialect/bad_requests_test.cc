// SPDX-License-Identifier: Apache-2.0
// What clients get wrong, or send to do harm, and the answer that is right for each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/printable.h"
#include "serve/dialect/chat_completions.h"
#include "serve/dialect/completions.h"
#include "serve/dialect/embeddings.h"
#include "serve/dialect/messages.h"
#include "serve/dialect/model_info.h"
#include "serve/dialect/responses.h"
#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

std::string Repeated(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

// "param | code", or the message where it is about no field; for each a 400, of one line, at once.
std::string Answered(const std::optional<ApiError>& error) {
  if (!error) return "none";
  EXPECT_EQ(error->status, 400) << error->message;
  EXPECT_EQ(error->type, "invalid_request_error");
  EXPECT_EQ(OneLine(error->message), error->message);
  return error->param.empty() ? error->message : fmt::format("{} | {}", error->param, error->code);
}

class BadRequests : public testing::Test {
 protected:
  template <class T>
  static std::optional<ApiError> ErrorIn(const ApiResult<T>& result) {
    return result ? std::nullopt : std::optional(result.error());
  }
  std::string Chat(std::string_view body) const {
    return Answered(ErrorIn(ReadChatCompletion(model_, body, kTestOrigin)));
  }
  std::string Completion(std::string_view body) const {
    return Answered(ErrorIn(ReadCompletion(model_, body, kTestOrigin)));
  }
  // A chat or a completion that is right but for these fields.
  std::string ChatWith(std::string_view fields) const {
    return Chat(
        fmt::format(R"({{"messages": [{{"role": "user", "content": "hi"}}], {}}})", fields));
  }
  std::string CompletionWith(std::string_view fields) const {
    return Completion(fmt::format(R"({{"prompt": "hi", {}}})", fields));
  }

  const ServedModel model_ = TestServedModel();
};

TEST_F(BadRequests, AreNoJson) {
  const std::string deep(100'000, '[');
  for (const auto& [body, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "the body is no JSON: wrong at byte 1"},
           {"hello", "the body is no JSON: wrong at byte 1"},
           {"{\"prompt\": \"a\"", "the body is no JSON: wrong at byte 15"},
           {"{\"prompt\": \"a\",}", "the body is no JSON: wrong at byte 16"},
           {"{'prompt': 'a'}", "the body is no JSON: wrong at byte 2"},
           {"{\"prompt\": \"a\"} {}", "the body is no JSON: wrong at byte 17"},
           {"{\"prompt\": \"a\n\"}", "the body is no JSON: wrong at byte 14"},
           {"{\"prompt\": \"\xff\"}", "the body is no JSON: wrong at byte 13"},
           {"{\"prompt\": \"\xed\xa0\x80\"}", "the body is no JSON: wrong at byte 14"},
           {"{\"prompt\": \"\\ud800\"}", "the body is no JSON: wrong at byte 19"},
           {std::string("{\"prompt\": \"a\"}\0", 16), "the body is no JSON: wrong at byte 16"},
           {"{\"prompt\": \"a\", \"temperature\": NaN}", "the body is no JSON: wrong at byte 32"},
           {"{\"prompt\": \"a\", \"temperature\": Infinity}",
            "the body is no JSON: wrong at byte 32"},
           {"{\"prompt\": \"a\", \"temperature\": 1e999}", "the body is no JSON: wrong at byte 36"},
           {"{\"prompt\": \"a\", \"n\": 01}", "the body is no JSON: wrong at byte 23"},
           {"{\"prompt\": \"a\", \"n\": +1}", "the body is no JSON: wrong at byte 22"},
           {"[]", "the body is a list, not a JSON object"},
           {"\"a\"", "the body is a string, not a JSON object"},
           {"null", "the body is null, not a JSON object"},
           {"17", "the body is 17, not a JSON object"},
           {deep, "the body is nested over 64 deep"},
           {"{\"prompt\": \"a\", \"metadata\": " + deep, "the body is nested over 64 deep"},
           {Repeated("{\"a\":", 100'000), "the body is nested over 64 deep"},
           {"{\"prompt\": [" + Repeated("0,", 1'000'000) + "0]}",
            "the body has more than 1000000 values"}}) {
    EXPECT_EQ(Completion(body), message) << body.substr(0, 60);
  }
}

TEST_F(BadRequests, HaveValuesOutOfRange) {
  const std::string wrong_type = " | invalid_type", wrong = " | invalid_value";
  for (const auto& [fields, answer] : std::vector<std::pair<std::string, std::string>>{
           {R"("n": 100000000)", "n" + wrong},
           {R"("n": 0)", "n" + wrong},
           {R"("n": 1e2)", "n" + wrong},
           {R"("n": 99999999999999999999999999)", "n" + wrong},
           {R"("temperature": -0.1)", "temperature" + wrong},
           {R"("temperature": 2.1)", "temperature" + wrong},
           {R"("temperature": 1e308)", "temperature" + wrong},
           {R"("top_p": 1.0001)", "top_p" + wrong},
           {R"("top_k": -2)", "top_k" + wrong},
           {R"("top_k": 2147483648)", "top_k" + wrong},
           {R"("min_p": -1)", "min_p" + wrong},
           {R"("frequency_penalty": 2.5)", "frequency_penalty" + wrong},
           {R"("presence_penalty": -2.5)", "presence_penalty" + wrong},
           {R"("repeat_penalty": 0)", "repeat_penalty" + wrong},
           {R"("repeat_last_n": -1)", "repeat_last_n" + wrong},
           {R"("seed": 18446744073709551616)", "seed" + wrong},
           {R"("seed": 0.5)", "seed" + wrong},
           {R"("max_tokens": -2)", "max_tokens" + wrong},
           {R"("max_tokens": 1e9)", "max_tokens" + wrong},
           {R"("stop": "")", "stop" + wrong},
           {R"("stop": ["a", ""])", "stop[1]" + wrong},
           {R"("stop": [")" + Repeated("x\", \"", 16) + R"("])", "stop" + wrong},
           {R"("stop": ")" + std::string(257, 'x') + '"', "stop" + wrong},
           {R"("logit_bias": {"268": 1})", "logit_bias" + wrong},
           {R"("logit_bias": {"-1": 1})", "logit_bias" + wrong},
           {R"("logit_bias": {"a": 1})", "logit_bias" + wrong},
           {R"("logit_bias": {"1": 101})", "logit_bias.1" + wrong},
           {R"("logit_bias": [[1, 2]])", "logit_bias" + wrong_type},
           {R"("stream_options": {"include_usage": true})", "stream_options" + wrong},
           {R"("grammar": "root ::= x")", "grammar | unsupported_parameter"},
           {R"("guided_json": {"type": "object"})", "guided_json | unsupported_parameter"},
           {R"("mirostat": 2)", "mirostat | unsupported_parameter"},
           {R"("response_format": {"type": "json_schema"})",
            "response_format.json_schema.schema | missing_required_parameter"},
           {R"("response_format": {})", "response_format.type | missing_required_parameter"},
           {R"("response_format": {"type": "xml"})", "response_format.type" + wrong}}) {
    EXPECT_EQ(ChatWith(fields), answer) << fields.substr(0, 80);
    EXPECT_EQ(CompletionWith(fields), answer) << fields.substr(0, 80);
  }
}

TEST_F(BadRequests, HaveWrongConversations) {
  const auto messages = [&](std::string_view list) {
    return Chat(fmt::format(R"({{"messages": {}}})", list));
  };
  for (
      const auto& [list, answer] : std::vector<std::pair<std::string, std::string>>{
          {"null", "messages | missing_required_parameter"},
          {"\"hi\"", "messages | invalid_type"},
          {"[]", "messages | invalid_value"},
          {"[null]", "messages[0] | missing_required_parameter"},
          {"[[]]", "messages[0] | invalid_type"},
          {"[{}]", "messages[0].role | missing_required_parameter"},
          {R"([{"role": "robot", "content": "x"}])", "messages[0].role | invalid_value"},
          {R"([{"role": "user"}])", "messages[0].content | missing_required_parameter"},
          {R"([{"role": "user", "content": null}])",
           "messages[0].content | missing_required_parameter"},
          {R"([{"role": "user", "content": 5}])", "messages[0].content | invalid_type"},
          {R"([{"role": "user", "content": ["x"]}])", "messages[0].content[0] | invalid_type"},
          {R"([{"role": "user", "content": [{"text": "x"}]}])",
           "messages[0].content[0].type | missing_required_parameter"},
          {R"([{"role": "user", "content": [{"type": "text"}]}])",
           "messages[0].content[0].text | missing_required_parameter"},
          {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}])",
           "messages[0].content[0] | unsupported_value"},
          {R"([{"role": "user", "content": [{"type": "x\r\nSet-Cookie: a", "text": ""}]}])",
           "messages[0].content[0] | unsupported_value"},
          {R"([{"role": "user", "content": [{"type": "\u007f\u009b2J", "text": ""}]}])",
           "messages[0].content[0] | unsupported_value"},
          {R"([{"role": "assistant", "tool_calls": [{"function": {}}]}])",
           "messages[0].tool_calls[0].function.name | missing_required_parameter"},
          {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}])",
           "messages[0].tool_calls[0].function.arguments | invalid_type"},
          {R"([{"role": "assistant", "content": "x", "audio": {"id": "1"}}])",
           "messages[0].audio | unsupported_parameter"}}) {
    EXPECT_EQ(messages(list), answer) << list;
  }
  for (
      const auto& [fields, answer] : std::vector<std::pair<std::string, std::string>>{
          {R"("tools": [{"type": "code_interpreter"}])", "tools[0].type | invalid_value"},
          {R"("tools": [{"type": "function"}])",
           "tools[0].function.name | missing_required_parameter"},
          {R"("tools": [null])", "tools[0] | missing_required_parameter"},
          {R"("tool_choice": "always")", "tool_choice | invalid_value"},
          {R"("tool_choice": {"type": "function"})",
           "tool_choice.function.name | missing_required_parameter"},
          {R"("tool_choice": {"type": "custom"})", "tool_choice.type | invalid_value"},
          {R"("tool_choice": "required")", "tool_choice | invalid_value"},
          {R"("tools": [{"type": "function", "function": {"name": ""}}])",
           "tools[0].function.name | invalid_value"},
          {R"("tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}])",
           "tools[0].function.parameters.type | invalid_value"},
          {R"("functions": [{"name": "f"}])", "functions | unsupported_parameter"},
          {R"("modalities": ["text", "audio"])", "modalities[1] | invalid_value"},
          {R"("reasoning_effort": "max")", "reasoning_effort | invalid_value"},
          {R"("top_logprobs": 5)", "top_logprobs | invalid_value"},
          {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs | invalid_value"}}) {
    EXPECT_EQ(ChatWith(fields), answer) << fields;
  }
}

// Each field with each type that it has not.
TEST_F(BadRequests, HaveValuesOfTheWrongType) {
  const std::string numbers = "nbslo", truths = "tfslo";
  const std::vector<std::pair<char, std::string>> values = {
      {'b', "true"}, {'t', "1"}, {'f', "0.5"}, {'s', "\"x\""}, {'l', "[[1]]"}, {'o', "{\"a\": 1}"}};
  const auto check = [&](auto with, std::string_view field, std::string_view wrong) {
    for (const auto& [kind, value] : values) {
      if (wrong.find(kind) == std::string_view::npos) continue;
      EXPECT_THAT(with(fmt::format("\"{}\": {}", field, value)),
                  testing::StartsWith(std::string(field)))
          << value;
    }
  };
  const auto chat = [&](const std::string& fields) { return ChatWith(fields); };
  const auto completion = [&](const std::string& fields) { return CompletionWith(fields); };
  for (const char* field :
       {"temperature", "top_k", "top_p", "min_p", "frequency_penalty", "presence_penalty",
        "repeat_penalty", "repetition_penalty", "repeat_last_n", "seed", "max_tokens", "n"}) {
    check(chat, field, numbers);
    check(completion, field, numbers);
  }
  for (const char* field : {"stream", "ignore_eos"}) {
    check(chat, field, truths);
    check(completion, field, truths);
  }
  check(chat, "logprobs", truths);
  check(completion, "logprobs", "bfslo");
  check(completion, "echo", truths);
  check(completion, "best_of", numbers);
  check(completion, "prompt", "btfo");
  check(chat, "max_completion_tokens", numbers);
  check(chat, "model", "btflo");
  check(chat, "cache_salt", "btflo");
  check(chat, "stop", "btflo");
  check(chat, "logit_bias", "btfslo");
  check(chat, "stream_options", "btfsl");
  check(chat, "response_format", "btfslo");
  check(chat, "messages", "btfslo");
  check(chat, "tools", "btfso");
  check(chat, "tool_choice", "btfslo");
  check(chat, "chat_template_kwargs", "btfslo");
  check(chat, "reasoning_effort", "btfslo");
  check(chat, "modalities", "btfslo");
}

TEST_F(BadRequests, OfOtherDialects) {
  ServedModel embedder = TestServedModel();
  embedder.embeds = true;
  EXPECT_EQ(Answered(ErrorIn(ReadMessages(model_, "{", kTestOrigin))),
            "the body is no JSON: wrong at byte 2");
  EXPECT_EQ(Answered(ErrorIn(ReadMessages(
                model_, R"({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]})",
                kTestOrigin))),
            "messages[0].content[0].tool_use_id | missing_required_parameter");
  EXPECT_EQ(Answered(ErrorIn(ReadMessages(
                model_,
                R"({"messages": [{"role": "user", "content": "x"}], "thinking": {"type": "much"}})",
                kTestOrigin))),
            "thinking.type | invalid_value");
  EXPECT_EQ(Answered(ErrorIn(ReadResponse(model_, R"({"input": 5})", kTestOrigin))),
            "input | invalid_type");
  EXPECT_EQ(
      Answered(ErrorIn(ReadResponse(model_, R"({"input": [{"role": "user"}]})", kTestOrigin))),
      "input[0].content | missing_required_parameter");
  EXPECT_EQ(Answered(ErrorIn(ReadEmbeddings(embedder, R"({"input": []})", kTestOrigin))),
            "input | invalid_value");
  EXPECT_EQ(Answered(ErrorIn(ReadEmbeddings(embedder, R"({"input": [[300]]})", kTestOrigin))),
            "input[0] | invalid_value");
  EXPECT_EQ(Answered(ErrorIn(AnswerDetokenize(model_, R"({"tokens": ["a"]})"))),
            "tokens | invalid_value");
  EXPECT_EQ(Answered(ErrorIn(AnswerTokenize(model_, R"({"content": 5})"))),
            "content | invalid_type");
}

// None costs more than a second, whatever its size of 16 MiB is made of.
TEST_F(BadRequests, CostNoTime) {
  constexpr size_t kBytes = size_t{16} << 20;
  std::string keys = R"({"logit_bias": {)";
  for (int i = 0; keys.size() < kBytes / 4; ++i) keys += fmt::format("\"{}\":0,", i);
  const std::string message = R"({"role":"user","content":"x"},)";
  for (const auto& [body, code] : std::vector<std::pair<std::string, std::string>>{
           {R"({"prompt": ")" + std::string(kBytes, ' ') + "\"}", "context_length_exceeded"},
           {R"({"prompt": [)" + Repeated("0,", 900'000) + "0]}", "context_length_exceeded"},
           {keys + R"("0":0}, "prompt": "x"})", "invalid_value"},
           {R"({"prompt": "x", "stop": [)" + Repeated("\"x\",", 900'000) + R"("x"]})",
            "invalid_value"}}) {
    EXPECT_THAT(Completion(body), HasSubstr(code)) << body.substr(0, 30);
  }
  EXPECT_THAT(Chat(R"({"messages": [)" + Repeated(message, 300'000) +
                   message.substr(0, message.size() - 1) + "]}"),
              HasSubstr("context_length_exceeded"));
  const std::string tool = R"({"type":"function","function":{"name":"f"}},)";
  EXPECT_THAT(
      ChatWith(R"("tools": [)" + Repeated(tool, 150'000) + tool.substr(0, tool.size() - 1) + "]"),
      HasSubstr("messages | "));
}

}  // namespace
}  // namespace bitfetch
