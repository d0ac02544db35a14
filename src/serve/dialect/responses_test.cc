// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/responses.h"

#include <gtest/gtest.h>

#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

const CompletionEnd kResponseEnd = {
    .reason = StopReason::kStopToken, .prompt_tokens = 10, .cached_tokens = 4, .tokens = 5};

class ResponsesTest : public testing::Test {
 protected:
  std::string PromptOf(std::string_view body) {
    const auto request = ReadResponse(model_, body, kTestOrigin);
    return request ? ShowTokens(model_, request->tasks[0].prompt) : ShowError(request.error());
  }
  std::unique_ptr<Reply> ReplyTo(std::string_view fields) {
    auto request = ReadResponse(model_, fmt::format(R"({{"input": "hi"{}}})", fields), kTestOrigin);
    EXPECT_TRUE(request) << request.error().message;
    return std::move(request->reply);
  }

  static std::string Response(std::string_view status, std::string_view output,
                              int thought_tokens = 0, std::string_view cut = "null") {
    return fmt::format(
        R"({{"id":"resp_7","object":"response","created_at":1800000000,"status":"{}","error":null,"incomplete_details":{},)"
        R"("max_output_tokens":null,"model":"tiny","output":[{}],"parallel_tool_calls":true,"previous_response_id":null,)"
        R"("store":false,"temperature":0.8,"top_p":0.95,"usage":{}}})",
        status, cut, output,
        status == "in_progress"
            ? "null"
            : fmt::format(
                  R"({{"input_tokens":10,"input_tokens_details":{{"cached_tokens":4}},"output_tokens":5,"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":15}})",
                  thought_tokens));
  }
  static std::string Event(int number, std::string_view type, std::string_view rest) {
    return fmt::format("event: {0}\ndata: {{\"type\":\"{0}\",\"sequence_number\":{1},{2}}}\n\n",
                       type, number, rest);
  }
  static std::string Begin() {
    const std::string response = "\"response\":" + Response("in_progress", "");
    return Event(0, "response.created", response) + Event(1, "response.in_progress", response);
  }

  ServedModel model_ = TestServedModel();
};

TEST_F(ResponsesTest, InputGoesThroughTheTemplate) {
  EXPECT_EQ(PromptOf(R"({"input": "hi", "instructions": "Be brief.", "store": true})"),
            "[im_start]system Be brief.[im_end][im_start]user hi[im_end][im_start]assistant ");
  EXPECT_EQ(PromptOf(R"({"input": "hi", "reasoning": {"effort": "none"}})"),
            "[im_start]user hi[im_end][im_start]assistant <think></think>");
  // What a model thought, said and called in one turn is one message.
  EXPECT_EQ(
      PromptOf(R"({"input": [
          {"role": "developer", "content": "Be brief."},
          {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
          {"type": "reasoning", "id": "1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
          {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]},
          {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
          {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{}"},
          {"type": "function_call_output", "call_id": "1", "output": "3"},
          {"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"},
          {"type": "reasoning", "summary": []}]})"),
      "[im_start]system Be brief.[im_end][im_start]user a[im_end]"
      "[im_start]assistant (hm)so<tool_call>f {}</tool_call><tool_call>g {}</tool_call>[im_end]"
      "[im_start]tool 3[im_end][im_start]assistant b[im_end][im_start]assistant c[im_end]"
      "[im_start]assistant ");
  EXPECT_EQ(
      PromptOf(
          R"({"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": true}]})"),
      "[im_start]tools {\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": "
      "{}}}[im_end][im_start]user hi[im_end][im_start]assistant ");
}

TEST_F(ResponsesTest, SaysWhatIsWrong) {
  for (const auto& [body, error] : std::vector<std::pair<std::string, std::string>>{
           {R"({"input": "x", "previous_response_id": "resp_1"})",
            "400 'previous_response_id' is not supported | previous_response_id | "
            "unsupported_parameter"},
           {R"({"input": "x", "background": true})",
            "400 'background' is not supported | background | unsupported_parameter"},
           {R"({"input": "x", "truncation": "auto"})",
            "400 'truncation' must be one of disabled, and is 'auto' | truncation | invalid_value"},
           {R"({"input": "x", "text": {"format": {"type": "json_schema"}}})",
            "400 'text.format.schema' is missing | text.format.schema | "
            "missing_required_parameter"},
           {R"({"input": "x", "tools": [{"type": "web_search"}]})",
            "400 'tools[0].type' must be one of function, and is 'web_search' | tools[0].type | "
            "invalid_value"},
           {R"({"input": [{"role": "user", "content": [{"type": "input_image"}]}]})",
            "400 'input[0].content[0]' is of the type \"input_image\", and only text is supported "
            "| "
            "input[0].content[0] | unsupported_value"},
           {R"({"input": [{"type": "item_reference", "id": "1"}]})",
            "400 'input[0].type' must be one of message, reasoning, function_call, "
            "function_call_output, and is 'item_reference' | input[0].type | invalid_value"},
           {R"({"input": []})", "400 'input' must hold a message at least | input | invalid_value"},
           {"{}", "400 'input' is missing | input | missing_required_parameter"}}) {
    EXPECT_EQ(PromptOf(body), error);
  }
}

TEST_F(ResponsesTest, Whole) {
  const std::string thought =
      R"({"id":"rs_7_0","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"the"}],"status":"completed"})";
  const std::string text =
      R"({"id":"msg_7_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"yes","annotations":[],"logprobs":[]}],"status":"completed"})";
  EXPECT_EQ(Answer(*ReplyTo(""), {{"<think>the</think>ye"}, {"s"}}, kResponseEnd),
            Response("completed", thought + "," + text, 2));
  CompletionEnd cut = kResponseEnd;
  cut.reason = StopReason::kContextFull;
  EXPECT_EQ(Answer(*ReplyTo(""), {}, cut),
            Response("incomplete", "", 0, R"({"reason":"max_output_tokens"})"));
}

TEST_F(ResponsesTest, Streamed) {
  const std::string place = R"("item_id":"msg_7_0","output_index":0,"content_index":0,)";
  const std::string item =
      R"({"id":"msg_7_0","type":"message","role":"assistant","content":[{"type":"output_text","text":"yes","annotations":[],"logprobs":[]}],"status":"completed"})";
  EXPECT_EQ(
      Answer(*ReplyTo(R"(, "stream": true)"), {{"ye"}, {""}, {"s"}}, kResponseEnd),
      Begin() +
          Event(
              2, "response.output_item.added",
              R"("output_index":0,"item":{"id":"msg_7_0","type":"message","role":"assistant","content":[],"status":"in_progress"})") +
          Event(
              3, "response.content_part.added",
              place + R"("part":{"type":"output_text","text":"","annotations":[],"logprobs":[]})") +
          Event(4, "response.output_text.delta", place + R"("delta":"ye","logprobs":[])") +
          Event(5, "response.output_text.delta", place + R"("delta":"s","logprobs":[])") +
          Event(6, "response.output_text.done", place + R"("text":"yes","logprobs":[])") +
          Event(
              7, "response.content_part.done",
              place +
                  R"("part":{"type":"output_text","text":"yes","annotations":[],"logprobs":[]})") +
          Event(8, "response.output_item.done", R"("output_index":0,"item":)" + item) +
          Event(9, "response.completed", "\"response\":" + Response("completed", item)));
}

TEST_F(ResponsesTest, CallsOfTools) {
  const auto reply = ReplyTo(R"(, "stream": true, "tools": [{"type": "function", "name": "f"}])");
  EXPECT_EQ(reply->Begin(), Begin());
  const std::string item =
      R"({"id":"fc_7_0","type":"function_call","call_id":"call_7_0","name":"f","arguments":"{\"a\": 1}","status":"completed"})";
  EXPECT_EQ(
      reply->OnPiece(0, {R"(<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>)"}),
      Event(
          2, "response.output_item.added",
          R"("output_index":0,"item":{"id":"fc_7_0","type":"function_call","call_id":"call_7_0","name":"f","arguments":"","status":"in_progress"})") +
          Event(3, "response.function_call_arguments.delta",
                R"("item_id":"fc_7_0","output_index":0,"delta":"{\"a\": 1}")"));
  EXPECT_EQ(reply->OnEnd(0, kResponseEnd),
            Event(4, "response.function_call_arguments.done",
                  R"("item_id":"fc_7_0","output_index":0,"name":"f","arguments":"{\"a\": 1}")") +
                Event(5, "response.output_item.done", R"("output_index":0,"item":)" + item));
  EXPECT_EQ(reply->Finish(),
            Event(6, "response.completed", "\"response\":" + Response("completed", item)));
}

TEST_F(ResponsesTest, Fails) {
  const ApiError error = {.status = 503, .message = "no", .type = "server_error"};
  EXPECT_EQ(ReplyTo(R"(, "stream": true)")->Fail(error),
            Event(0, "error", R"("code":"server_error","message":"no","param":null)"));
}

}  // namespace
}  // namespace bitfetch
