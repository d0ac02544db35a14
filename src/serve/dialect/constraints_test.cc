// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/constraints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "serve/dialect/chat_completions.h"
#include "serve/dialect/completions.h"
#include "serve/dialect/messages.h"
#include "serve/dialect/responses.h"
#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

const std::string kSchema =
    R"({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})";
const std::string kCallOfF =
    "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
const std::string kCallOfG = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";

// Whether this is a whole answer of the task. The first 256 tokens are the bytes.
bool MayAnswer(const CompletionTask& task, std::string_view text) {
  ConstrainedText answer(task.constraint);
  for (const char byte : text) {
    if (!answer.Allowed().Has(static_cast<uint8_t>(byte))) return false;
    answer.Append({&byte, 1});
  }
  return answer.may_end();
}

class ConstraintsTest : public testing::Test {
 protected:
  using Requested = ApiResult<CompletionRequest>;

  Requested Chat(std::string_view fields) const {
    return ReadChatCompletion(model_, Conversing(fields), kTestOrigin);
  }
  Requested Complete(std::string_view fields) const {
    return ReadCompletion(model_, fmt::format(R"({{"prompt": "hi", {}}})", fields), kTestOrigin);
  }
  Requested Message(std::string_view fields) const {
    return ReadMessages(model_, Conversing(fields), kTestOrigin);
  }
  Requested Respond(std::string_view fields) const {
    return ReadResponse(model_, fmt::format(R"({{"input": "hi", {}}})", fields), kTestOrigin);
  }
  // A chat completion whose answer is to meet a schema.
  Requested ChatMeeting(std::string_view schema) const {
    return Chat(fmt::format(
        R"("response_format": {{"type": "json_schema", "json_schema": {{"name": "x", "schema": {}}}}})",
        schema));
  }

  // f has an integer a, g has no parameters.
  static std::string OpenAiTools(std::string_view choice) {
    return fmt::format(
        R"("tools": [{{"type": "function", "function": {{"name": "f", "parameters": {}}}}},)"
        R"({{"type": "function", "function": {{"name": "g"}}}}], "tool_choice": {})",
        kSchema, choice);
  }
  static std::string ResponseTools(std::string_view choice) {
    return fmt::format(R"("tools": [{{"type": "function", "name": "f", "parameters": {}}},)"
                       R"({{"type": "function", "name": "g"}}], "tool_choice": {})",
                       kSchema, choice);
  }
  static std::string AnthropicTools(std::string_view choice) {
    return fmt::format(
        R"("tools": [{{"name": "f", "input_schema": {}}}, {{"name": "g"}}], "tool_choice": {})",
        kSchema, choice);
  }

  ServedModel model_ = TestServedModel();

 private:
  static std::string Conversing(std::string_view fields) {
    return fmt::format(R"({{"messages": [{{"role": "user", "content": "hi"}}], {}}})", fields);
  }
};

TEST_F(ConstraintsTest, SchemasAreInThePlaceOfEachDialect) {
  const std::string nested = fmt::format(
      R"("response_format": {{"type": "json_schema", "json_schema": {{"name": "x", "strict": true, "schema": {}}}}})",
      kSchema);
  const std::string flat =
      fmt::format(R"("format": {{"type": "json_schema", "schema": {}}})", kSchema);
  const Requested requests[] = {Chat(nested), Complete(nested),
                                Respond(fmt::format(R"("text": {{{}}})", flat)),
                                Message("\"output_" + flat.substr(1)),
                                Message(fmt::format(R"("output_config": {{{}}})", flat))};
  for (const Requested& request : requests) {
    ASSERT_TRUE(request) << request.error().message;
    const CompletionTask& task = request->tasks[0];
    ASSERT_NE(task.constraint, nullptr);
    EXPECT_TRUE(MayAnswer(task, "{\"a\": 1}"));
    for (const char* wrong : {"{\"a\": 1", "{\"a\": \"1\"}", "{}", "hi", ""}) {
      EXPECT_FALSE(MayAnswer(task, wrong)) << wrong;
    }
  }
}

TEST_F(ConstraintsTest, AnyObjectOrAnyText) {
  const Requested object = Complete(R"("response_format": {"type": "json_object"})");
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_TRUE(MayAnswer(object->tasks[0], "{\"a\": [1, {\"b\": null}]}"));
  EXPECT_FALSE(MayAnswer(object->tasks[0], "[1]"));
  for (const Requested& text :
       {Complete(R"("response_format": {"type": "text"})"), Complete(R"("response_format": null)"),
        Chat(OpenAiTools("\"auto\"")), Chat(OpenAiTools("\"none\""))}) {
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_EQ(text->tasks[0].constraint, nullptr);
  }
}

TEST_F(ConstraintsTest, ChoicesShareOne) {
  const Requested request = Chat(R"("n": 3, "response_format": {"type": "json_object"})");
  ASSERT_TRUE(request) << request.error().message;
  ASSERT_EQ(request->tasks.size(), 3);
  EXPECT_NE(request->tasks[0].constraint, nullptr);
  EXPECT_EQ(request->tasks[0].constraint, request->tasks[2].constraint);
}

TEST_F(ConstraintsTest, ACallOfAnyToolMayBeForced) {
  const Requested requests[] = {Chat(OpenAiTools("\"required\"")),
                                Respond(ResponseTools("\"required\"")),
                                Message(AnthropicTools(R"({"type": "any"})"))};
  for (const Requested& request : requests) {
    ASSERT_TRUE(request) << request.error().message;
    const CompletionTask& task = request->tasks[0];
    EXPECT_TRUE(MayAnswer(task, kCallOfF));
    EXPECT_TRUE(MayAnswer(task, kCallOfG));
    for (const std::string& wrong :
         {std::string("hi"), "hi" + kCallOfF, kCallOfF + kCallOfG,
          std::string(
              "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"1\"}}\n</tool_call>"),
          std::string("<tool_call>\n{\"name\": \"h\", \"arguments\": {}}\n</tool_call>")}) {
      EXPECT_FALSE(MayAnswer(task, wrong)) << wrong;
    }
    const std::string answer =
        Answer(*request->reply, {{kCallOfF}}, {.reason = StopReason::kStopToken});
    EXPECT_THAT(answer, HasSubstr("\"name\":\"f\""));
    EXPECT_THAT(answer, testing::Not(HasSubstr("tool_call>")));
  }
}

TEST_F(ConstraintsTest, ACallOfOneToolMayBeForced) {
  const Requested requests[] = {
      Chat(OpenAiTools(R"({"type": "function", "function": {"name": "g"}})")),
      Respond(ResponseTools(R"({"type": "function", "name": "g"})")),
      Message(AnthropicTools(R"({"type": "tool", "name": "g"})"))};
  for (const Requested& request : requests) {
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_TRUE(MayAnswer(request->tasks[0], kCallOfG));
    EXPECT_FALSE(MayAnswer(request->tasks[0], kCallOfF));
  }
}

TEST_F(ConstraintsTest, WhereToolsMayBeCalledTheFormatIsOfOtherAnswers) {
  const std::string format = R"(, "response_format": {"type": "json_object"})";
  const Requested may_call = Chat(OpenAiTools("\"auto\"") + format);
  ASSERT_TRUE(may_call) << may_call.error().message;
  EXPECT_TRUE(MayAnswer(may_call->tasks[0], kCallOfF));
  EXPECT_TRUE(MayAnswer(may_call->tasks[0], "{\"b\": 2}"));
  EXPECT_FALSE(MayAnswer(may_call->tasks[0], "hi"));
  const Requested must_call = Chat(OpenAiTools("\"required\"") + format);
  ASSERT_TRUE(must_call) << must_call.error().message;
  EXPECT_FALSE(MayAnswer(must_call->tasks[0], "{\"b\": 2}"));
}

// Each dialect asks for thinking, for none, and for nothing, which is none in Anthropic's.
TEST_F(ConstraintsTest, ThoughtsComeBeforeAnAnswer) {
  const std::string chat = R"("response_format": {"type": "json_object"})";
  const std::string respond = R"("text": {"format": {"type": "json_object"}})";
  const std::string message =
      R"("output_format": {"type": "json_schema", "schema": {"type": "object"}})";
  for (const Requested& request :
       {Chat(chat + R"(, "reasoning_effort": "low")"),
        Chat(chat + R"(, "chat_template_kwargs": {"enable_thinking": true})"),
        Respond(respond + R"(, "reasoning": {"effort": "high"})"),
        Message(message + R"(, "thinking": {"type": "enabled"})")}) {
    ASSERT_TRUE(request) << request.error().message;
    const CompletionTask& task = request->tasks[0];
    ASSERT_THAT(ShowTokens(model_, task.prompt), testing::EndsWith("<think>"));
    for (const char* right :
         {"\nso {</thin\n</think>\n\n{}", "</think>{\"a\": 1}", "<think></think>\n{}"}) {
      EXPECT_TRUE(MayAnswer(task, right)) << right;
    }
    for (const char* wrong : {"", "{}", "so", "so</think>", "so</think>\n\n", "</think>\n\n\n{}",
                              "</think>no</think>{}", "</think>[]"}) {
      EXPECT_FALSE(MayAnswer(task, wrong)) << wrong;
    }
  }
  for (const Requested& request :
       {Chat(chat + R"(, "reasoning_effort": "none")"),
        Respond(respond + R"(, "reasoning": {"effort": "minimal"})"), Message(message)}) {
    ASSERT_TRUE(request) << request.error().message;
    const CompletionTask& task = request->tasks[0];
    ASSERT_THAT(ShowTokens(model_, task.prompt), testing::EndsWith("<think></think>"));
    EXPECT_TRUE(MayAnswer(task, "{}"));
    EXPECT_FALSE(MayAnswer(task, "<think>so</think>{}"));
    EXPECT_FALSE(MayAnswer(task, "so</think>{}"));
  }
  // The model begins them, or it doesn't.
  for (const Requested& request : {Chat(chat), Respond(respond)}) {
    ASSERT_TRUE(request) << request.error().message;
    const CompletionTask& task = request->tasks[0];
    ASSERT_THAT(ShowTokens(model_, task.prompt), testing::EndsWith("assistant "));
    EXPECT_TRUE(MayAnswer(task, "<think>\nso\n</think>\n\n{}"));
    EXPECT_TRUE(MayAnswer(task, "{}"));
    for (const char* wrong : {"<think>{}", "so</think>{}", "\n\n{}"}) {
      EXPECT_FALSE(MayAnswer(task, wrong)) << wrong;
    }
  }
}

TEST_F(ConstraintsTest, ThoughtsComeBeforeACall) {
  const Requested requests[] = {
      Chat(OpenAiTools(R"("required", "reasoning_effort": "low")")),
      Respond(ResponseTools(R"("required", "reasoning": {"effort": "low"})")),
      Message(AnthropicTools(R"({"type": "any"}, "thinking": {"type": "enabled"})"))};
  for (const Requested& request : requests) {
    ASSERT_TRUE(request) << request.error().message;
    const CompletionTask& task = request->tasks[0];
    EXPECT_TRUE(MayAnswer(task, "I call.\n</think>\n\n" + kCallOfF));
    EXPECT_FALSE(MayAnswer(task, kCallOfF));
    EXPECT_FALSE(MayAnswer(task, "</think>I call." + kCallOfF));
  }
}

TEST_F(ConstraintsTest, ATemplateMayKnowNoThoughts) {
  model_ = TestServedModel("{{ messages[0].content }}");
  const Requested request = Chat(R"("response_format": {"type": "json_object"})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(MayAnswer(request->tasks[0], "{}"));
  EXPECT_FALSE(MayAnswer(request->tasks[0], "<think>so</think>{}"));
}

TEST_F(ConstraintsTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(ErrorOf(ChatMeeting(R"({"properties": {"a": {"not": {}}}})")),
            "400 response_format.json_schema.schema#/properties/a: the keyword 'not' is not "
            "supported | response_format.json_schema.schema | invalid_json_schema");
  EXPECT_EQ(
      ErrorOf(Respond(R"("text": {"format": {"type": "json_schema", "schema": {"not": 1}}})")),
      "400 text.format.schema#: the keyword 'not' is not supported | text.format.schema | "
      "invalid_json_schema");
  EXPECT_EQ(ErrorOf(Message(R"("tools": [{"name": "f", "input_schema": {"not": {}}}],
                               "tool_choice": {"type": "any"})")),
            "400 tools[0].input_schema#: the keyword 'not' is not supported | "
            "tools[0].input_schema | invalid_json_schema");
  EXPECT_EQ(ErrorOf(Chat(OpenAiTools(R"({"type": "function", "function": {"name": "h"}})"))),
            "400 'tool_choice.function.name' is the name of none of the tools | "
            "tool_choice.function.name | invalid_value");
  EXPECT_EQ(ErrorOf(Message(AnthropicTools(R"({"type": "tool"})"))),
            "400 'tool_choice.name' is missing | tool_choice.name | missing_required_parameter");
}

// What is never written, or would take for ever to.
TEST_F(ConstraintsTest, HostileSchemasAreErrors) {
  std::string wide = R"({"anyOf": [{"const": 0})";
  for (int i = 1; i < 300; ++i) wide += fmt::format(R"(, {{"const": {}}})", i);
  const std::string deep(60'000, '[');
  for (const std::string& schema :
       {std::string(R"({"$ref": "#"})"), std::string(R"({"allOf": [{"$ref": "#"}]})"),
        std::string(R"({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]})"),
        std::string(R"({"pattern": "((((a{1,999}){1,999}){1,999}){1,999}){1,999}("})"),
        std::string(R"({"pattern": "a{1,100000}"})"), std::string(R"({"enum": []})"),
        std::string("false"), std::string("5"), wide + "]}"}) {
    EXPECT_THAT(ErrorOf(ChatMeeting(schema)),
                HasSubstr("| response_format.json_schema.schema | invalid_json_schema"))
        << schema.substr(0, 80);
  }
  EXPECT_EQ(ErrorOf(ChatMeeting(deep)), "400 the body is nested over 64 deep |  | ");
}

TEST_F(ConstraintsTest, LargeBoundsCostNoMoreThanSmallOnes) {
  for (const char* schema :
       {R"({"type": "string", "maxLength": 1000000000})", R"({"pattern": "^(a+)+$"})",
        R"({"pattern": "^(a|aa)*b{1,100}"})",
        R"({"type": "array", "items": {"$ref": "#"}, "maxItems": 1000000000})"}) {
    const Requested request = ChatMeeting(schema);
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_NE(request->tasks[0].constraint, nullptr);
  }
}

TEST_F(ConstraintsTest, AllConstraintsHaveTheModelsTries) {
  std::vector<const TokenTries*> found(4);
  std::vector<std::thread> clients;
  for (const TokenTries*& tries : found) {
    clients.emplace_back([&] {
      const Requested request = Complete(R"("response_format": {"type": "json_object"})");
      tries = &request->tasks[0].constraint->tries();
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(found, std::vector<const TokenTries*>(4, model_.tries->Get(model_.tokenizer).get()));
  EXPECT_EQ(found[0]->tokens(), model_.tokenizer.size());
}

}  // namespace
}  // namespace bitfetch
