// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/messages.h"

#include <gtest/gtest.h>

#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

const CompletionEnd kMessageEnd = {
    .reason = StopReason::kStopToken, .prompt_tokens = 10, .cached_tokens = 4, .tokens = 5};
const std::string kMessageUsage =
    R"("usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":5})";
constexpr std::string_view kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

class MessagesTest : public testing::Test {
 protected:
  std::string PromptOf(std::string_view body) {
    const auto request = ReadMessages(model_, body, kTestOrigin);
    return request ? ShowTokens(model_, request->tasks[0].prompt) : ShowError(request.error());
  }
  static std::string With(std::string_view fields) {
    return fmt::format(
        R"({{"max_tokens": 9, "messages": [{{"role": "user", "content": "hi"}}]{}{}}})",
        fields.empty() ? "" : ", ", fields);
  }
  std::unique_ptr<Reply> ReplyTo(std::string_view fields) {
    auto request = ReadMessages(model_, With(fields), kTestOrigin);
    EXPECT_TRUE(request) << request.error().message;
    return std::move(request->reply);
  }

  static std::string Message(std::string_view content, std::string_view end,
                             std::string_view usage = kMessageUsage) {
    return fmt::format(
        R"({{"id":"msg_7","type":"message","role":"assistant","content":[{}],"model":"tiny",{},{}}})",
        content, end, usage);
  }
  // Of a prompt of so many tokens.
  static std::string Start(int tokens) {
    return fmt::format(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{}}}\n\n{}",
        Message("", R"("stop_reason":null,"stop_sequence":null)",
                fmt::format(R"("usage":{{"input_tokens":{},"output_tokens":0}})", tokens)),
        kPing);
  }
  static std::string Event(std::string_view type, std::string_view rest) {
    return fmt::format("event: {0}\ndata: {{\"type\":\"{0}\"{1}}}\n\n", type, rest);
  }
  static std::string Stop(std::string_view reason) {
    return Event("message_delta",
                 fmt::format(R"(,"delta":{{"stop_reason":"{}","stop_sequence":null}},{})", reason,
                             kMessageUsage)) +
           Event("message_stop", "");
  }

  ServedModel model_ = TestServedModel();
};

TEST_F(MessagesTest, GoThroughTheTemplate) {
  const std::string end = "[im_start]assistant <think></think>";
  EXPECT_EQ(PromptOf(With("")), "[im_start]user hi[im_end]" + end);
  EXPECT_EQ(PromptOf(With(R"("thinking": {"type": "enabled", "budget_tokens": 1024})")),
            "[im_start]user hi[im_end][im_start]assistant <think>");
  EXPECT_EQ(
      PromptOf(R"({"system": [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}],
              "messages": [
                {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]},
                {"role": "assistant", "content": [
                   {"type": "thinking", "thinking": "hm", "signature": ""},
                   {"type": "text", "text": "so"},
                   {"type": "tool_use", "id": "1", "name": "f", "input": {"z": 1, "a": 2}}]},
                {"role": "user", "content": [
                   {"type": "tool_result", "tool_use_id": "1", "content": "3"},
                   {"type": "tool_result", "tool_use_id": "2"},
                   {"type": "text", "text": "b"}]}]})"),
      "[im_start]system Be\nbrief.[im_end][im_start]user a[im_end]"
      "[im_start]assistant (hm)so<tool_call>f {\"z\": 1, \"a\": 2}</tool_call>[im_end]"
      "[im_start]tool 3[im_end][im_start]tool [im_end][im_start]user b[im_end]" +
          end);
  EXPECT_EQ(
      PromptOf(With(
          R"("tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}])")),
      "[im_start]tools {\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": "
      "\"d\", \"parameters\": {\"type\": \"object\"}}}[im_end][im_start]user hi[im_end]" +
          end);
}

TEST_F(MessagesTest, FieldsAreRead) {
  const auto request = ReadMessages(
      model_, With(R"("temperature": 1, "top_k": 3, "top_p": 0.5, "stop_sequences": ["x"],
                      "metadata": {"user_id": "u"}, "service_tier": "auto")"),
      kTestOrigin);
  ASSERT_TRUE(request) << request.error().message;
  const CompletionTask& task = request->tasks[0];
  EXPECT_EQ(task.sampling.temperature, 1);
  EXPECT_EQ(task.sampling.top_k, 3);
  EXPECT_EQ(task.sampling.top_p, 0.5);
  EXPECT_EQ(task.sampling.min_p, 0.05);
  EXPECT_EQ(task.generate.max_tokens, 9);
  EXPECT_EQ(task.generate.stops, std::vector<std::string>{"x"});
}

TEST_F(MessagesTest, SaysWhatIsWrong) {
  for (const auto& [body, error] : std::vector<std::pair<std::string, std::string>>{
           {With(R"("temperature": 1.5)"),
            "400 'temperature' must be a number from 0 to 1, and is 1.5 | temperature | "
            "invalid_value"},
           {R"({"messages": [{"role": "system", "content": "x"}]})",
            "400 'messages[0].role' must be one of user, assistant, and is 'system' | "
            "messages[0].role | invalid_value"},
           {R"({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]})",
            "400 'messages[0].content[0].type' must be one of text, tool_result, and is 'image' | "
            "messages[0].content[0].type | invalid_value"},
           {R"({"messages": [{"role": "assistant", "content": "so"}]})",
            "400 'messages' must end with the user's: an answer that is begun already is not "
            "supported | messages | unsupported_value"},
           {With(R"("tool_choice": {"type": "any"})"),
            "400 'tool_choice' wants a call, and there are no tools | tool_choice | invalid_value"},
           {With(R"("mcp_servers": [{}])"),
            "400 'mcp_servers' is not supported | mcp_servers | unsupported_parameter"},
           {"{}", "400 'messages' is missing | messages | missing_required_parameter"}}) {
    EXPECT_EQ(PromptOf(body), error);
  }
}

TEST_F(MessagesTest, Whole) {
  EXPECT_EQ(
      Answer(*ReplyTo(R"("thinking": {"type": "enabled"})"), {{"hm\n</think>\n\nye"}, {"s"}},
             kMessageEnd),
      Message(R"({"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"yes"})",
              R"("stop_reason":"end_turn","stop_sequence":null)"));
  CompletionEnd end = kMessageEnd;
  end.reason = StopReason::kStopString;
  end.stop_string = "x";
  EXPECT_EQ(Answer(*ReplyTo(""), {{"yes"}}, end),
            Message(R"({"type":"text","text":"yes"})",
                    R"("stop_reason":"stop_sequence","stop_sequence":"x")"));
  end.reason = StopReason::kTokens;
  EXPECT_EQ(Answer(*ReplyTo(""), {}, end),
            Message("", R"("stop_reason":"max_tokens","stop_sequence":null)"));
}

TEST_F(MessagesTest, Streamed) {
  EXPECT_EQ(
      Answer(*ReplyTo(R"("stream": true, "thinking": {"type": "enabled"})"),
             {{"hm"}, {"</think>"}, {"ye"}, {"s"}}, kMessageEnd),
      Start(26) +
          Event("content_block_start",
                R"(,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""})") +
          Event("content_block_delta",
                R"(,"index":0,"delta":{"type":"thinking_delta","thinking":"hm"})") +
          Event("content_block_stop", R"(,"index":0)") +
          Event("content_block_start", R"(,"index":1,"content_block":{"type":"text","text":""})") +
          Event("content_block_delta", R"(,"index":1,"delta":{"type":"text_delta","text":"ye"})") +
          Event("content_block_delta", R"(,"index":1,"delta":{"type":"text_delta","text":"s"})") +
          Event("content_block_stop", R"(,"index":1)") + Stop("end_turn"));
}

TEST_F(MessagesTest, CallsOfTools) {
  const std::string tools = R"("tools": [{"name": "f", "input_schema": {}}])";
  const std::string call = R"(<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>)";
  EXPECT_EQ(
      Answer(*ReplyTo(tools), {{"So" + call + call}}, kMessageEnd),
      Message(
          R"({"type":"text","text":"So"},{"type":"tool_use","id":"toolu_7_1","name":"f","input":{"a": 1}},)"
          R"({"type":"tool_use","id":"toolu_7_2","name":"f","input":{"a": 1}})",
          R"("stop_reason":"tool_use","stop_sequence":null)"));
  const auto reply = ReplyTo(tools + R"(, "stream": true)");
  EXPECT_EQ(
      reply->OnPiece(0, {call}),
      Event(
          "content_block_start",
          R"(,"index":0,"content_block":{"type":"tool_use","id":"toolu_7_0","name":"f","input":{}})") +
          Event("content_block_delta",
                R"(,"index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\": 1}"})"));
  EXPECT_EQ(reply->OnEnd(0, kMessageEnd), "");
  EXPECT_EQ(reply->Finish(), Event("content_block_stop", R"(,"index":0)") + Stop("tool_use"));
}

TEST_F(MessagesTest, FailsAsAnthropicDoes) {
  for (const auto& [status, type] : {std::pair(400, "invalid_request_error"),
                                     {401, "authentication_error"},
                                     {404, "not_found_error"},
                                     {413, "request_too_large"},
                                     {429, "rate_limit_error"},
                                     {500, "api_error"},
                                     {503, "overloaded_error"}}) {
    const std::string body =
        fmt::format(R"({{"type":"error","error":{{"type":"{}","message":"no"}}}})", type);
    const ApiError error = {.status = status, .message = "no"};
    EXPECT_EQ(ReplyTo(R"("stream": true)")->Fail(error), "event: error\ndata: " + body + "\n\n");
  }
  EXPECT_EQ(ReplyTo(R"("stream": true)")->Ping(), kPing);
}

TEST_F(MessagesTest, CountsTokens) {
  const auto request = ReadMessages(model_, With(""), kTestOrigin);
  EXPECT_EQ(*CountMessageTokens(model_, With("")),
            fmt::format(R"({{"input_tokens":{}}})", request->tasks[0].prompt.size()));
  EXPECT_EQ(ErrorOf(CountMessageTokens(model_, "{}")),
            "400 'messages' is missing | messages | missing_required_parameter");
}

}  // namespace
}  // namespace bitfetch
