// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/completions.h"

#include <gtest/gtest.h>

#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

const CompletionEnd kCompletionEnd = {
    .reason = StopReason::kTokens, .prompt_tokens = 3, .tokens = 2, .prompt_seconds = 0.5};
const std::string kRest =
    R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0}},)"
    R"("timings":{"cache_n":0,"prompt_n":3,"prompt_ms":500,"prompt_per_token_ms":166.66666666666666,"prompt_per_second":6,"predicted_n":2,"predicted_ms":0,"predicted_per_token_ms":0,"predicted_per_second":0})";

class CompletionsTest : public testing::Test {
 protected:
  // The prompts of all tasks, with their seeds.
  std::string Prompts(std::string_view body) {
    const auto request = ReadCompletion(model_, body, kTestOrigin);
    if (!request) return ShowError(request.error());
    std::string shown;
    for (const CompletionTask& task : request->tasks) {
      shown += fmt::format("{}{} {}", shown.empty() ? "" : ", ", ShowTokens(model_, task.prompt),
                           task.sampling.seed);
    }
    return shown;
  }

  std::unique_ptr<Reply> ReplyTo(std::string_view body) {
    auto request = ReadCompletion(model_, body, kTestOrigin);
    EXPECT_TRUE(request) << request.error().message;
    return std::move(request->reply);
  }

  static std::string Body(std::string_view choices, std::string_view rest = kRest) {
    return fmt::format(
        R"({{"id":"cmpl-7","object":"text_completion","created":1800000000,"model":"tiny","choices":[{}]{}{}}})",
        choices, rest.empty() ? "" : ",", rest);
  }
  static std::string Chunk(std::string_view choice) { return "data: " + Body(choice, "") + "\n\n"; }

  ServedModel model_ = TestServedModel();
};

TEST_F(CompletionsTest, PromptsAreTextsOrTokens) {
  EXPECT_EQ(Prompts(R"({"prompt": "a<|eot_id|>", "seed": 1})"), "[begin_of_text]a<|eot_id|> 1");
  EXPECT_EQ(Prompts(R"({"prompt": "", "seed": 1})"), "[begin_of_text] 1");
  EXPECT_EQ(Prompts(R"({"prompt": [97, 265], "seed": 1})"), "a[eot_id] 1");
  EXPECT_EQ(Prompts(R"({"prompt": ["a", [98]], "seed": 1, "n": 2})"),
            "[begin_of_text]a 1, [begin_of_text]a 2, b 1, b 2");
  EXPECT_EQ(Prompts(R"({"prompt": ["a", "a"]})"), "[begin_of_text]a 99, [begin_of_text]a 100")
      << "without a seed, no two have the same";
}

TEST_F(CompletionsTest, SaysWhichPromptIsWrong) {
  EXPECT_EQ(Prompts(R"({"prompt": ["a", []]})"),
            "400 'prompt[1]' is empty, and a model needs a token at least | prompt[1] | "
            "invalid_value");
  EXPECT_EQ(
      Prompts(R"({"prompt": [["a"]]})"),
      "400 'prompt[0]' must hold token ids from 0 to 267, and has a string at 0 | prompt[0] | "
      "invalid_value");
  EXPECT_EQ(Prompts(R"({"prompt": [1, 268]})"),
            "400 'prompt' must hold token ids from 0 to 267, and has 268 at 1 | prompt | "
            "invalid_value");
  EXPECT_EQ(Prompts(R"({"prompt": ["a", 5]})"),
            "400 'prompt[1]' must be a string, and is 5 | prompt[1] | invalid_type");
  EXPECT_EQ(Prompts(R"({"prompt": ["a", null]})"),
            "400 'prompt[1]' is missing | prompt[1] | missing_required_parameter");
  EXPECT_EQ(Prompts(R"({"prompt": []})"),
            "400 'prompt' must hold a prompt at least | prompt | invalid_value");
  EXPECT_EQ(Prompts("{}"), "400 'prompt' is missing | prompt | missing_required_parameter");
  EXPECT_EQ(Prompts(R"({"prompt": ["a", "b", "c", "d", "e"], "n": 128})"),
            "400 'prompt' asks for 640 answers, and 512 are the most | prompt | invalid_value");
  EXPECT_EQ(Prompts(R"({"prompt": "a", "suffix": "b"})"),
            "400 'suffix' is not supported | suffix | unsupported_parameter");
  EXPECT_EQ(Prompts(R"({"prompt": "a", "best_of": 2})"),
            "400 'best_of' must be a whole number from 1 to 1, and is 2 | best_of | invalid_value");
}

TEST_F(CompletionsTest, Whole) {
  EXPECT_EQ(Answer(*ReplyTo(R"({"prompt": "x"})"), {{"<think>"}, {" b"}}, kCompletionEnd),
            Body(R"({"index":0,"text":"<think> b","logprobs":null,"finish_reason":"length"})"));
  EXPECT_EQ(Answer(*ReplyTo(R"({"prompt": "x", "echo": true})"), {{"y"}}, kCompletionEnd),
            Body(R"({"index":0,"text":"xy","logprobs":null,"finish_reason":"length"})"));
  EXPECT_EQ(Answer(*ReplyTo(R"({"prompt": [97, 226], "echo": true})"), {{"y"}}, kCompletionEnd),
            Body(R"({"index":0,"text":"a�y","logprobs":null,"finish_reason":"length"})"));
}

TEST_F(CompletionsTest, Streamed) {
  EXPECT_EQ(Answer(*ReplyTo(R"({"prompt": "x", "echo": true, "stream": true})"), {{""}, {"y"}},
                   kCompletionEnd),
            Chunk(R"({"index":0,"text":"x","logprobs":null,"finish_reason":null})") +
                Chunk(R"({"index":0,"text":"y","logprobs":null,"finish_reason":null})") + "data: " +
                Body(R"({"index":0,"text":"","logprobs":null,"finish_reason":"length"})",
                     kRest.substr(kRest.find("\"timings"))) +
                "\n\ndata: [DONE]\n\n");
}

// What evaluation harnesses ask for. Each token of the prompt counts, BOS too.
TEST_F(CompletionsTest, EchoWithProbabilities) {
  const auto request = ReadCompletion(
      model_, R"({"prompt": "é", "echo": true, "logprobs": 1, "max_tokens": 1})", kTestOrigin);
  ASSERT_TRUE(request);
  const CompletionTask& task = request->tasks[0];
  EXPECT_TRUE(task.prompt_logprobs);
  EXPECT_EQ(task.top_logprobs, 1);
  ASSERT_EQ(task.prompt, (std::vector<int>{261, 0xc3, 0xa9}));
  EXPECT_EQ(request->reply->OnPrompt(0, {{.id = 0xc3, .logprob = -1, .top = {{0xc3, -1}}},
                                         {.id = 0xa9, .logprob = -2, .top = {{'b', -0.5f}}}}),
            "");
  request->reply->OnPiece(0, {"c", {{.id = 'c', .logprob = -3, .top = {{'c', -3}}}}});
  request->reply->OnEnd(0, kCompletionEnd);
  EXPECT_EQ(request->reply->Finish(),
            Body(R"({"index":0,"text":"éc","logprobs":{)"
                 R"("tokens":["<|begin_of_text|>","bytes:\\xc3","bytes:\\xa9","c"],)"
                 R"("token_logprobs":[null,-1,-2,-3],)"
                 R"("top_logprobs":[null,{"bytes:\\xc3":-1},{"b":-0.5,"bytes:\\xa9":-2},{"c":-3}],)"
                 R"("text_offset":[0,0,1,1]},"finish_reason":"length"})"));
}

TEST_F(CompletionsTest, ProbabilitiesComeWithTheTextInStreams) {
  const auto reply = ReplyTo(R"({"prompt": "x", "echo": true, "stream": true, "logprobs": 0})");
  EXPECT_EQ(reply->Begin(), "");
  EXPECT_EQ(
      reply->OnPrompt(0, {{.id = 'x', .logprob = -1}}),
      Chunk(
          R"({"index":0,"text":"x","logprobs":{"tokens":["<|begin_of_text|>","x"],"token_logprobs":[null,-1],"top_logprobs":[null,{"x":-1}],"text_offset":[0,0]},"finish_reason":null})"));
  EXPECT_EQ(
      reply->OnPiece(0, {"y", {{.id = 'y', .logprob = -2}}}),
      Chunk(
          R"({"index":0,"text":"y","logprobs":{"tokens":["y"],"token_logprobs":[-2],"top_logprobs":[{"y":-2}],"text_offset":[1]},"finish_reason":null})"));
}

}  // namespace
}  // namespace bitfetch
