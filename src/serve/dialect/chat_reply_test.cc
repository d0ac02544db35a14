// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/chat_reply.h"

#include <gtest/gtest.h>

#include "serve/dialect/chat_completions.h"
#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

const CompletionEnd kChatEnd = {.reason = StopReason::kStopToken,
                                .prompt_tokens = 10,
                                .cached_tokens = 4,
                                .tokens = 5,
                                .prompt_seconds = 0.5,
                                .generate_seconds = 2};
const std::string kTimings =
    R"("timings":{"cache_n":4,"prompt_n":6,"prompt_ms":500,"prompt_per_token_ms":83.33333333333333,"prompt_per_second":12,"predicted_n":5,"predicted_ms":2000,"predicted_per_token_ms":500,"predicted_per_second":2})";
const std::string kChatUsage =
    R"("usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}})";

class ChatReplyTest : public testing::Test {
 protected:
  std::unique_ptr<Reply> ReplyTo(std::string_view fields) {
    auto request = ReadChatCompletion(
        model_,
        fmt::format(R"({{"messages": [{{"role": "user", "content": "hi"}}]{}{}}})",
                    fields.empty() ? "" : ", ", fields),
        kTestOrigin);
    EXPECT_TRUE(request) << request.error().message;
    return std::move(request->reply);
  }

  static std::string Whole(std::string_view choices, std::string_view rest) {
    return fmt::format(
        R"({{"id":"chatcmpl-7","object":"chat.completion","created":1800000000,"model":"tiny","choices":[{}],{}}})",
        choices, rest);
  }
  static std::string Chunk(std::string_view delta, std::string_view finish = "null",
                           std::string_view rest = "", std::string_view logprobs = "null",
                           int index = 0) {
    return fmt::format(
        "data: "
        R"({{"id":"chatcmpl-7","object":"chat.completion.chunk","created":1800000000,"model":"tiny",)"
        R"("choices":[{{"index":{},"delta":{},"logprobs":{},"finish_reason":{}}}]{}}})"
        "\n\n",
        index, delta, logprobs, finish, rest);
  }

  ServedModel model_ = TestServedModel();
};

TEST_F(ChatReplyTest, Whole) {
  EXPECT_EQ(
      Answer(*ReplyTo(""), {{"He"}, {"llo \"\n"}, {""}}, kChatEnd),
      Whole(
          R"({"index":0,"message":{"role":"assistant","content":"Hello \"\n","refusal":null},"logprobs":null,"finish_reason":"stop"})",
          kChatUsage + "," + kTimings));
}

TEST_F(ChatReplyTest, Streamed) {
  EXPECT_EQ(Answer(*ReplyTo(R"("stream": true)"), {{"He"}, {""}, {"llo"}}, kChatEnd),
            Chunk(R"({"role":"assistant","content":""})") + Chunk(R"({"content":"He"})") +
                Chunk(R"({"content":"llo"})") + Chunk("{}", R"("stop")", "," + kTimings) +
                "data: [DONE]\n\n");
  EXPECT_EQ(
      Answer(*ReplyTo(R"("stream": true, "stream_options": {"include_usage": true})"), {{"x"}},
             kChatEnd),
      Chunk(R"({"role":"assistant","content":""})", "null", R"(,"usage":null)") +
          Chunk(R"({"content":"x"})", "null", R"(,"usage":null)") +
          Chunk("{}", R"("stop")", R"(,"usage":null)") +
          R"(data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1800000000,"model":"tiny","choices":[],)" +
          kChatUsage + "," + kTimings + "}\n\ndata: [DONE]\n\n");
}

TEST_F(ChatReplyTest, SaysWhyItEnded) {
  for (const auto& [reason, word] : {std::pair(StopReason::kTokens, "length"),
                                     {StopReason::kContextFull, "length"},
                                     {StopReason::kStopToken, "stop"},
                                     {StopReason::kStopString, "stop"}}) {
    CompletionEnd end = kChatEnd;
    end.reason = reason;
    EXPECT_NE(Answer(*ReplyTo(""), {}, end).find(fmt::format(R"("finish_reason":"{}")", word)),
              std::string::npos);
  }
}

TEST_F(ChatReplyTest, ThoughtsAreApart) {
  const std::vector<CompletionPiece> pieces = {{"<think>\nhm"}, {"\n</think>\n"}, {"\nyes"}};
  EXPECT_EQ(
      Answer(*ReplyTo(""), pieces, kChatEnd),
      Whole(
          R"({"index":0,"message":{"role":"assistant","content":"yes","refusal":null,"reasoning_content":"hm"},"logprobs":null,"finish_reason":"stop"})",
          kChatUsage + "," + kTimings));
  EXPECT_EQ(Answer(*ReplyTo(R"("stream": true, "reasoning_effort": "high")"),
                   {{"hm"}, {"</think>yes"}}, kChatEnd),
            Chunk(R"({"role":"assistant","content":""})") + Chunk(R"({"reasoning_content":"hm"})") +
                Chunk(R"({"content":"yes"})") + Chunk("{}", R"("stop")", "," + kTimings) +
                "data: [DONE]\n\n");
}

TEST_F(ChatReplyTest, CallsOfTools) {
  const std::string tools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
  const std::string call = R"(<tool_call>{"name": "f", "arguments": {"a": "b"}}</tool_call>)";
  EXPECT_EQ(
      Answer(*ReplyTo(tools), {{call + "\n" + call}}, kChatEnd),
      Whole(
          R"({"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[)"
          R"({"id":"call_7_0_0","type":"function","function":{"name":"f","arguments":"{\"a\": \"b\"}"}},)"
          R"({"id":"call_7_0_1","type":"function","function":{"name":"f","arguments":"{\"a\": \"b\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"})",
          kChatUsage + "," + kTimings));
  EXPECT_EQ(
      Answer(*ReplyTo(tools + R"(, "stream": true)"), {{"So "}, {call}}, kChatEnd),
      Chunk(R"({"role":"assistant","content":""})") + Chunk(R"({"content":"So"})") +
          Chunk(
              R"({"tool_calls":[{"index":0,"id":"call_7_0_0","type":"function","function":{"name":"f","arguments":"{\"a\": \"b\"}"}}]})") +
          Chunk("{}", R"("tool_calls")", "," + kTimings) + "data: [DONE]\n\n");
  CompletionEnd cut = kChatEnd;
  cut.reason = StopReason::kTokens;
  EXPECT_NE(Answer(*ReplyTo(tools), {{call}}, cut).find(R"("finish_reason":"length")"),
            std::string::npos);
}

TEST_F(ChatReplyTest, ProbabilitiesOfTokens) {
  const std::vector<CompletionPiece> pieces = {
      {"", {{.id = 0xe2, .logprob = -0.5f, .top = {{'b', -0.25f}}}}},
      {"a", {{.id = 'a', .logprob = -1}}},
      {"", {{.id = 262, .logprob = -2}}}};  // the end
  const std::string first =
      R"({"token":"�","logprob":-0.5,"bytes":[226],"top_logprobs":[{"token":"b","logprob":-0.25,"bytes":[98]}]},)"
      R"({"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]})";
  const std::string last =
      R"({"token":"<|end_of_text|>","logprob":-2,"bytes":[60,124,101,110,100,95,111,102,95,116,101,120,116,124,62],"top_logprobs":[]})";
  const auto told = [](const std::string& list) {
    return R"({"content":[)" + list + R"(],"refusal":null})";
  };
  EXPECT_EQ(
      Answer(*ReplyTo(R"("logprobs": true, "top_logprobs": 1)"), pieces, kChatEnd),
      Whole(
          R"({"index":0,"message":{"role":"assistant","content":"a","refusal":null},"logprobs":)" +
              told(first + "," + last) + R"(,"finish_reason":"stop"})",
          kChatUsage + "," + kTimings));
  EXPECT_EQ(Answer(*ReplyTo(R"("logprobs": true, "stream": true)"), pieces, kChatEnd),
            Chunk(R"({"role":"assistant","content":""})", "null", "", told("")) +
                Chunk(R"({"content":"a"})", "null", "", told(first)) +
                Chunk(R"({"content":""})", "null", "", told(last)) +
                Chunk("{}", R"("stop")", "," + kTimings) + "data: [DONE]\n\n");
}

TEST_F(ChatReplyTest, ChoicesAreToldApart) {
  const auto reply = ReplyTo(R"("n": 2, "stream": true)");
  EXPECT_EQ(reply->Begin(),
            Chunk(R"({"role":"assistant","content":""})") +
                Chunk(R"({"role":"assistant","content":""})", "null", "", "null", 1));
  EXPECT_EQ(reply->OnPiece(1, {"b"}), Chunk(R"({"content":"b"})", "null", "", "null", 1));
  EXPECT_EQ(reply->OnEnd(1, kChatEnd), Chunk("{}", R"("stop")", "", "null", 1));
  EXPECT_EQ(reply->OnPiece(0, {"a"}), Chunk(R"({"content":"a"})"));
  reply->OnEnd(0, kChatEnd);
  EXPECT_EQ(reply->Finish(), "data: [DONE]\n\n");

  const auto whole = ReplyTo(R"("n": 2)");
  for (const size_t task : {1, 0}) {
    EXPECT_EQ(whole->OnPiece(task, {task == 0 ? "a" : "b"}), "");
    EXPECT_EQ(whole->OnEnd(task, kChatEnd), "");
  }
  EXPECT_EQ(
      whole->Finish(),
      Whole(
          R"({"index":0,"message":{"role":"assistant","content":"a","refusal":null},"logprobs":null,"finish_reason":"stop"},)"
          R"({"index":1,"message":{"role":"assistant","content":"b","refusal":null},"logprobs":null,"finish_reason":"stop"})",
          R"("usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20,"prompt_tokens_details":{"cached_tokens":4}})"));
}

TEST_F(ChatReplyTest, FailsAsOpenAiDoes) {
  const ApiError error = {.status = 500, .message = "no \"more\"", .type = "server_error"};
  const std::string body =
      R"({"error":{"message":"no \"more\"","type":"server_error","param":null,"code":null}})";
  EXPECT_EQ(ReplyTo(R"("stream": true)")->Fail(error), "data: " + body + "\n\n");
  EXPECT_EQ(ReplyTo(R"("stream": true)")->Ping(), ": ping\n\n");
}

}  // namespace
}  // namespace bitfetch
