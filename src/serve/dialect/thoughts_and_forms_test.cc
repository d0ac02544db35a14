// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <set>

#include "base/json_value.h"
#include "base/test_effort.h"
#include "engine/engine.h"
#include "serve/dialect/chat_completions.h"
#include "serve/dialect/messages.h"
#include "serve/dialect/responses.h"
#include "serve/dialect/test_served_model.h"
#include "serve/schedule/scheduler.h"
#include "text/constraint/test_validator.h"
#include "text/thinking.h"

// Answers that a model thinks about and that have a form, from the request to what its client gets.
namespace bitfetch {
namespace {

const char* const kTiny = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

const std::string kPet =
    R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},)"
    R"("age": {"type": "integer", "minimum": 0, "maximum": 150}, "kind": {"enum": ["cat", "dog"]}},)"
    R"("required": ["name", "age", "kind"], "additionalProperties": false})";

// Begins thoughts where they are wanted, as Qwen's do.
constexpr std::string_view kThinkingTemplate =
    R"({{ bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}<|im_start|>assistant
<think>
{% if not enable_thinking %}</think>{% endif %}{# <tool_call> #})";

// What an answer has, in whichever dialect.
struct Said {
  std::string thoughts;
  std::string text;
  std::string arguments;  // of calls
  bool operator==(const Said&) const = default;

  void Add(const JsonValue& json) {
    if (const auto* list = json.As<JsonValue::List>()) {
      for (const JsonValue& item : *list) Add(item);
    } else if (const auto* object = json.As<JsonValue::Object>()) {
      const auto* type = json.Find<std::string>("type");
      for (const auto& [key, value] : *object) {
        Add(value);
        const auto* more = value.As<std::string>();
        if (more == nullptr) continue;
        const bool is_thought = type != nullptr && type->starts_with("reasoning");
        if (key == "reasoning_content" || key == "thinking" || (key == "text" && is_thought)) {
          thoughts += *more;
        } else if (key == "content" || key == "text") {
          text += *more;
        } else if (key == "arguments") {
          arguments += *more;
        }
      }
    }
  }
};

Said Whole(const std::string& answer) {
  Said said;
  said.Add(ParseJson(answer).value());
  return said;
}

// Of the events of a response the last has all; of the others', each has a piece.
Said Streamed(const std::string& events) {
  Said said;
  constexpr std::string_view kData = "data: {";
  for (size_t at = 0; (at = events.find(kData, at)) != std::string::npos;) {
    const size_t end = events.find("\n\n", at);
    const JsonValue event =
        ParseJson(events.substr(at + kData.size() - 1, end - at - kData.size() + 1)).value();
    if (event.Find("response") != nullptr) said = {};
    if (event.Find("sequence_number") == nullptr || event.Find("response") != nullptr) {
      said.Add(event);
    }
    at = end;
  }
  return said;
}

class Collector : public CompletionListener {
 public:
  Collector(std::vector<CompletionPiece>* pieces, std::promise<CompletionEnd> end)
      : pieces_(pieces), end_(std::move(end)) {}

  void OnPrompt(std::vector<TokenLogprob>) override {}
  void OnPiece(CompletionPiece piece) override { pieces_->push_back(std::move(piece)); }
  void OnEnd(CompletionEnd end) override { end_.set_value(std::move(end)); }

 private:
  std::vector<CompletionPiece>* pieces_;
  std::promise<CompletionEnd> end_;
};

class ThoughtsAndFormsTest : public testing::Test {
 protected:
  // The model's tokens; what begins and ends thoughts are two that it has for chats otherwise.
  static ServedModel ThinkingModel(const GgufReader& file) {
    Vocabulary vocabulary;
    const auto tokens = file.GetArray<std::string_view>("tokenizer.ggml.tokens").value();
    const auto merges = file.GetArray<std::string_view>("tokenizer.ggml.merges").value();
    const auto types = file.GetArray<int64_t>("tokenizer.ggml.token_type").value();
    vocabulary.tokens.assign(tokens.begin(), tokens.end());
    vocabulary.merges.assign(merges.begin(), merges.end());
    vocabulary.types.assign(types.begin(), types.end());
    vocabulary.pre = "llama-bpe";
    vocabulary.bos = static_cast<int>(file.Get<int64_t>("tokenizer.ggml.bos_token_id").value());
    vocabulary.eos = static_cast<int>(file.Get<int64_t>("tokenizer.ggml.eos_token_id").value());
    for (const auto& [was, is] : {std::pair("<|start_header_id|>", kThoughtsBegin),
                                  std::pair("<|end_header_id|>", kThoughtsEnd)}) {
      const auto token = std::ranges::find(vocabulary.tokens, was);
      *token = is;
      vocabulary.types[token - vocabulary.tokens.begin()] = kUserDefinedToken;
    }
    return {.id = "tiny",
            .tokenizer = Tokenizer::Create(vocabulary).value(),
            .chat_template = ChatTemplate::Parse("mine", std::string(kThinkingTemplate)).value(),
            .context = 512};
  }

  using Read = ApiResult<CompletionRequest> (*)(const ServedModel&, std::string_view,
                                                const RequestOrigin&);
  // The answer, whole or streamed, and how it ended.
  std::string Ask(Read read, const std::string& body, CompletionEnd* end) {
    CompletionRequest request = read(model_, body, kTestOrigin).value();
    std::vector<CompletionPiece> pieces;
    std::promise<CompletionEnd> promise;
    std::future<CompletionEnd> ended = promise.get_future();
    std::vector<std::unique_ptr<RunningTask>> tasks;
    tasks.push_back(RunningTask::Create(std::move(request.tasks[0]),
                                        std::make_unique<Collector>(&pieces, std::move(promise)),
                                        model_.tokenizer)
                        .value());
    EXPECT_TRUE(scheduler_.Submit(std::move(tasks)));
    *end = ended.get();
    return Answer(*request.reply, pieces, *end);
  }

  // A body with these fields. The model would not end its thoughts by itself.
  std::string Body(std::string_view fields, int seed, bool stream) const {
    return fmt::format(
        R"({{{}, "seed": {}, "stream": {}, "temperature": 1, "min_p": 0, "logit_bias": {{"{}": 9}}}})",
        fields, seed, stream, model_.tokenizer.Encode(kThoughtsEnd, false)->front());
  }

  std::unique_ptr<Engine> engine_ =
      Engine::Open(kTiny, {.threads = 2, .context = 512, .pages = PageSize::k4K}).value();
  ServedModel model_ = ThinkingModel(engine_->model().file());
  Scheduler scheduler_{engine_.get(), {}};
};

const std::string kMessages = R"("messages": [{"role": "user", "content": "And God"}], )";

TEST_F(ThoughtsAndFormsTest, WhatFollowsThoughtsMeetsItsSchema) {
  const struct {
    Read read;
    std::string fields;
  } kDialects[] = {
      {ReadChatCompletion,
       kMessages +
           R"("reasoning_effort": "high", "response_format": )"
           R"({"type": "json_schema", "json_schema": {"name": "pet", "schema": )" +
           kPet + "}}"},
      {ReadResponse, R"("input": "And God", "reasoning": {"effort": "high"}, "text": )"
                     R"({"format": {"type": "json_schema", "name": "pet", "schema": )" +
                         kPet + "}}"},
      {ReadMessages, kMessages +
                         R"("thinking": {"type": "enabled"}, "output_format": )"
                         R"({"type": "json_schema", "schema": )" +
                         kPet + "}"}};
  const JsonValue schema = ParseJson(kPet).value();
  std::set<size_t> lengths;
  for (int seed = 0; seed < Rounds(16); ++seed) {
    std::set<std::string> answers;
    for (const auto& [read, fields] : kDialects) {
      CompletionEnd end;
      const Said said = Whole(Ask(read, Body(fields, seed, false), &end));
      ASSERT_EQ(end.reason, StopReason::kStopToken) << said.thoughts;
      const auto pet = ParseJson(said.text);
      ASSERT_TRUE(pet) << said.text;
      EXPECT_TRUE(Validator(schema).Meets(*pet)) << said.text;
      EXPECT_EQ(Streamed(Ask(read, Body(fields, seed, true), &end)), said);
      answers.insert(said.thoughts + said.text);
      lengths.insert(said.thoughts.size());
    }
    EXPECT_EQ(answers.size(), 1u);
  }
  if (!kIsSlow) {
    EXPECT_GT(lengths.size(), 8u);
  }
}

TEST_F(ThoughtsAndFormsTest, ACallThatMustBeFollowsThoughts) {
  const std::string fields =
      kMessages + R"("reasoning_effort": "high", "tool_choice": "required", )" +
      R"("tools": [{"type": "function", "function": {"name": "f", "parameters": )" + kPet + "}}]";
  const JsonValue schema = ParseJson(kPet).value();
  for (int seed = 0; seed < Rounds(8); ++seed) {
    CompletionEnd end;
    const Said said = Whole(Ask(ReadChatCompletion, Body(fields, seed, false), &end));
    const auto pet = ParseJson(said.arguments);
    ASSERT_TRUE(pet) << said.text << said.arguments;
    EXPECT_TRUE(Validator(schema).Meets(*pet)) << said.arguments;
    EXPECT_EQ(said.text, "");
    EXPECT_EQ(Streamed(Ask(ReadChatCompletion, Body(fields, seed, true), &end)), said);
  }
}

TEST_F(ThoughtsAndFormsTest, ThoughtsMayBeCutOff) {
  CompletionEnd end;
  const std::string answer = Ask(ReadChatCompletion,
                                 "{" + kMessages +
                                     R"("reasoning_effort": "high", "max_tokens": 9, "seed": 1,)"
                                     R"("response_format": {"type": "json_object"}})",
                                 &end);
  EXPECT_EQ(end.reason, StopReason::kTokens);
  EXPECT_EQ(end.tokens, 9);
  EXPECT_NE(Whole(answer).thoughts, "");
  EXPECT_EQ(Whole(answer).text, "");
  EXPECT_NE(answer.find(R"("finish_reason":"length")"), std::string::npos) << answer;
}

}  // namespace
}  // namespace bitfetch
