// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/chat_completions.h"

#include <gtest/gtest.h>

#include <limits>

#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

// A request that says this beside a message.
std::string With(std::string_view fields) {
  return fmt::format(R"({{"messages": [{{"role": "user", "content": "hi"}}], {}}})", fields);
}

std::string PromptOf(std::string_view body, std::string_view chat_template = kTestTemplate) {
  const ServedModel model = TestServedModel(chat_template);
  const auto request = ReadChatCompletion(model, body, kTestOrigin);
  return request ? ShowTokens(model, request->tasks[0].prompt) : ShowError(request.error());
}

CompletionTask TaskOf(std::string_view fields) {
  const ServedModel model = TestServedModel();
  const auto request = ReadChatCompletion(model, With(fields), kTestOrigin);
  EXPECT_TRUE(request) << request.error().message;
  return request ? request->tasks[0] : CompletionTask();
}

TEST(ChatCompletions, MessagesGoThroughTheTemplate) {
  EXPECT_EQ(PromptOf(R"({"messages": [{"role": "user", "content": "hi"}]})"),
            "[im_start]user hi[im_end][im_start]assistant ");
  EXPECT_EQ(PromptOf(R"({"model": "any", "messages": [
              {"role": "developer", "content": "Be brief.", "name": "x"},
              {"role": "user", "content": [{"type": "text", "text": "a"},
                                           {"type": "text", "text": "<|im_end|>"}]},
              {"role": "assistant", "content": null, "id": "m"},
              {"role": "assistant", "reasoning_content": "hm", "content": "yes"}]})"),
            "[im_start]system Be brief.[im_end][im_start]user a\n<|im_end|>[im_end]"
            "[im_start]assistant [im_end][im_start]assistant (hm)yes[im_end][im_start]assistant ");
  EXPECT_EQ(
      PromptOf(R"({"messages": [
              {"role": "assistant", "tool_calls": [{"id": "1", "type": "function",
               "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
              {"role": "tool", "tool_call_id": "1", "content": "2"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"z": 1, "a": 2}}}]})"),
      "[im_start]tools {\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": "
      "{\"z\": 1, \"a\": 2}}}[im_end][im_start]assistant <tool_call>f {\"a\":1}</tool_call>[im_end]"
      "[im_start]tool 2[im_end][im_start]assistant ");
}

TEST(ChatCompletions, ToolsAreForTemplatesThatHaveThem) {
  const std::string tools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
  EXPECT_EQ(PromptOf(With(tools + R"(, "tool_choice": "none")")),
            "[im_start]user hi[im_end][im_start]assistant ");
  EXPECT_EQ(PromptOf(With(tools), "{{ messages[0].content }}"),
            "400 'tools' can't be called by this model, whose chat template has none | tools | "
            "unsupported_parameter");
}

TEST(ChatCompletions, ThinkingIsAskedForAsQwen3Has) {
  const auto thinks = [](std::string_view fields) {
    const std::string prompt = PromptOf(With(fields));
    return prompt.substr(prompt.rfind(' ') + 1);
  };
  EXPECT_EQ(thinks(R"("n": 1)"), "");
  EXPECT_EQ(thinks(R"("chat_template_kwargs": {"enable_thinking": true})"), "<think>");
  EXPECT_EQ(thinks(R"("chat_template_kwargs": {"enable_thinking": false})"), "<think></think>");
  for (const char* off : {"none", "minimal"}) {
    EXPECT_EQ(thinks(fmt::format(R"("reasoning_effort": "{}")", off)), "<think></think>");
  }
  for (const char* on : {"low", "medium", "high", "xhigh"}) {
    EXPECT_EQ(thinks(fmt::format(R"("reasoning_effort": "{}")", on)), "<think>");
  }
  EXPECT_EQ(
      thinks(R"("reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": true})"),
      "<think>");
  EXPECT_EQ(PromptOf(With(R"("chat_template_kwargs": {"enable_thinking": true, "mood": "bad"})")),
            "400 'chat_template_kwargs.mood' is not supported | chat_template_kwargs.mood | "
            "unsupported_parameter");
  EXPECT_EQ(PromptOf(With(R"("chat_template_kwargs": {"line\nend\u001b[2J": "bad"})")),
            R"(400 'chat_template_kwargs.line\x0aend\x1b[2J' is not supported | )"
            R"(chat_template_kwargs.line\x0aend\x1b[2J | unsupported_parameter)");
}

TEST(ChatCompletions, DefaultsAreThoseOfGenerate) {
  const CompletionTask task = TaskOf(R"("store": true, "user": 3, "metadata": {"a": []})");
  EXPECT_EQ(task.sampling.temperature, 0.8);
  EXPECT_EQ(task.sampling.top_k, 40);
  EXPECT_EQ(task.sampling.top_p, 0.95);
  EXPECT_EQ(task.sampling.min_p, 0.05);
  EXPECT_EQ(task.sampling.repeat_penalty, 1);
  EXPECT_EQ(task.sampling.frequency_penalty, 0);
  EXPECT_EQ(task.sampling.presence_penalty, 0);
  EXPECT_TRUE(task.sampling.bias.empty());
  EXPECT_EQ(task.sampling.seed, kTestOrigin.seed);
  EXPECT_EQ(task.generate.max_tokens, -1);
  EXPECT_TRUE(task.generate.stops.empty());
  EXPECT_EQ(task.top_logprobs, -1);
  EXPECT_EQ(task.salt, "");
  EXPECT_EQ(task.client, "someone");
}

TEST(ChatCompletions, EachFieldIsRead) {
  const CompletionTask task = TaskOf(
      R"("temperature": 0, "top_k": -1, "top_p": 0, "min_p": 1, "seed": 9223372036854775807,
         "repeat_penalty": 1.5, "frequency_penalty": -2, "presence_penalty": 2, "repeat_last_n": 3,
         "stop": ["a", "b"], "max_tokens": 5, "max_completion_tokens": 0, "cache_salt": "s",
         "logit_bias": {"5": -100, "266": 0.5}, "logprobs": true, "top_logprobs": 20,
         "response_format": {"type": "text"}, "modalities": ["text"])");
  EXPECT_EQ(task.sampling.temperature, 0);
  EXPECT_EQ(task.sampling.top_k, 0);
  EXPECT_GT(task.sampling.top_p, 0) << "which Sampler::Create refuses";
  EXPECT_EQ(task.sampling.min_p, 1);
  EXPECT_EQ(task.sampling.seed, 9223372036854775807u);
  EXPECT_EQ(task.sampling.repeat_penalty, 1.5);
  EXPECT_EQ(task.sampling.frequency_penalty, -2);
  EXPECT_EQ(task.sampling.presence_penalty, 2);
  EXPECT_EQ(task.sampling.repeat_window, 3);
  EXPECT_EQ(task.generate.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(task.generate.max_tokens, 0) << "of max_completion_tokens";
  EXPECT_EQ(task.salt, "s");
  ASSERT_EQ(task.sampling.bias.size(), 2u);
  EXPECT_EQ(task.sampling.bias[1].id, 266);
  EXPECT_EQ(task.sampling.bias[1].value, 0.5f);
  EXPECT_EQ(task.top_logprobs, 20);
  EXPECT_TRUE(Sampler::Create(task.sampling));
  EXPECT_EQ(TaskOf(R"("stop": "x", "max_tokens": null, "seed": -1)").generate.stops.size(), 1u);
  EXPECT_EQ(TaskOf(R"("seed": -1)").sampling.seed, kTestOrigin.seed);
  EXPECT_EQ(TaskOf(R"("logprobs": true)").top_logprobs, 0);
}

TEST(ChatCompletions, TokensThatEndAnAnswerCanBeForbidden) {
  const ServedModel model = TestServedModel();
  const CompletionTask task = TaskOf(R"("ignore_eos": true, "logit_bias": {"262": 5})");
  std::vector<int> never;
  for (const Logit& bias : task.sampling.bias) {
    EXPECT_EQ(bias.value, -std::numeric_limits<float>::infinity());
    never.push_back(bias.id);
  }
  EXPECT_EQ(never, model.tokenizer.StopTokens());
}

TEST(ChatCompletions, ChoicesHaveSeedsInARow) {
  const ServedModel model = TestServedModel();
  const auto request = ReadChatCompletion(model, With(R"("n": 3, "seed": 5)"), kTestOrigin);
  ASSERT_TRUE(request);
  ASSERT_EQ(request->tasks.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(request->tasks[i].sampling.seed, 5 + i);
  EXPECT_FALSE(request->stream);
}

// A conversation that the context can't hold is refused, however long it is, within no time.
TEST(ChatCompletions, TooLongIsAnErrorOfItsOwn) {
  const auto of_size = [](size_t bytes) {
    return PromptOf(fmt::format(R"({{"messages": [{{"role": "user", "content": "{}"}}]}})",
                                std::string(bytes, 'x')));
  };
  // [im_start]user , [im_end], [im_start]assistant : 6 + 1 + 11 tokens.
  EXPECT_EQ(of_size(981).substr(0, 10), "[im_start]");
  EXPECT_EQ(of_size(982),
            "400 'messages' has 1000 tokens, which do not fit: the maximum context length is 1000 "
            "tokens, one of them for an answer | messages | context_length_exceeded");
  EXPECT_EQ(of_size(15 << 20),
            "400 'messages' has 15728640 bytes, which do not fit: the maximum context length is "
            "1000 tokens, one of them for an answer | messages | context_length_exceeded");
}

TEST(ChatCompletions, AModelMayHaveNoConversationsOrNoText) {
  ServedModel model = TestServedModel();
  model.chat_template.reset();
  EXPECT_EQ(ErrorOf(ReadChatCompletion(model, With(R"("n": 1)"), kTestOrigin)),
            "400 the model tiny has no chat template | messages | invalid_value");
  model.embeds = true;
  EXPECT_EQ(ErrorOf(ReadChatCompletion(model, With(R"("n": 1)"), kTestOrigin)),
            "400 the model tiny gives embeddings and writes no text | model | unsupported_value");
  EXPECT_EQ(PromptOf(With(R"("n": 1)"), "{{ raise_exception('no') }}"),
            "400 mine: line 1: the template says: no | messages | invalid_value");
}

}  // namespace
}  // namespace bitfetch
