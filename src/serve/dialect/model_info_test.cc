// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/model_info.h"

#include <gtest/gtest.h>

#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

TEST(ModelInfo, ListsTheOneModel) {
  const ServedModel model = TestServedModel();
  const std::string one =
      R"({"id":"tiny","object":"model","created":1700000000,"owned_by":"bitfetch","max_model_len":1000})";
  EXPECT_EQ(WriteModels(model), R"({"object":"list","data":[)" + one + "]}");
  EXPECT_EQ(*WriteModel(model, "tiny"), one);
  EXPECT_EQ(ErrorOf(WriteModel(model, "big\xff")),
            "404 the model 'big�' is not served here | model | model_not_found");
  EXPECT_EQ(
      WriteProps(TestServedModel("{}")),
      R"({"default_generation_settings":{"n_ctx":1000,"params":{"temperature":0.8,"top_k":40,"top_p":0.95,"min_p":0.05,"repeat_penalty":1,"repeat_last_n":64}},)"
      R"("total_slots":1,"model_alias":"tiny","chat_template":"{}","bos_token":"<|begin_of_text|>","eos_token":"<|end_of_text|>",)"
      R"("modalities":{"vision":false,"audio":false},"build_info":"bitfetch )" BITFETCH_VERSION
      R"("})");
}

TEST(ModelInfo, Tokenizes) {
  const ServedModel model = TestServedModel();
  EXPECT_EQ(*AnswerTokenize(model, R"({"content": "in the<|eot_id|>"})"),
            R"({"tokens":[259,258,60,124,101,111,116,95,105,100,124,62]})");
  EXPECT_EQ(*AnswerTokenize(
                model, R"({"content": "a<|eot_id|>", "add_special": true, "parse_special": true})"),
            R"({"tokens":[261,97,265]})");
  EXPECT_EQ(*AnswerTokenize(model, R"({"content": ""})"), R"({"tokens":[]})");
  EXPECT_EQ(*AnswerTokenize(model, R"({"content": ")" + std::string(1 << 20, 'x') + "\"}")
                 .map([](const std::string& text) { return text.size(); }),
            std::string(R"({"tokens":[]})").size() + 4 * (1 << 20) - 1);
  EXPECT_EQ(ErrorOf(AnswerTokenize(model, R"({"content": ")" + std::string(3 << 20, 'x') + "\"}")),
            "400 'content' must be of at most 2097152 bytes, and is of 3145728 | content | "
            "invalid_value");
  EXPECT_EQ(ErrorOf(AnswerTokenize(model, "{}")),
            "400 'content' is missing | content | missing_required_parameter");
  EXPECT_EQ(ErrorOf(AnswerTokenize(model, R"({"content": "a", "with_pieces": true})")),
            "400 'with_pieces' is not supported | with_pieces | unsupported_parameter");
}

TEST(ModelInfo, Detokenizes) {
  const ServedModel model = TestServedModel();
  EXPECT_EQ(*AnswerDetokenize(model, R"({"tokens": [259, 258, 265, 195]})"),
            R"({"content":"in the�"})");
  EXPECT_EQ(ErrorOf(AnswerDetokenize(model, R"({"tokens": [268]})")),
            "400 'tokens' must hold token ids from 0 to 267, and has 268 at 0 | tokens | "
            "invalid_value");
}

TEST(ModelInfo, AppliesTheTemplate) {
  EXPECT_EQ(*AnswerApplyTemplate(TestServedModel(),
                                 R"({"messages": [{"role": "user", "content": "hi"}]})"),
            R"({"prompt":"<|im_start|>user hi<|im_end|><|im_start|>assistant "})");
  EXPECT_EQ(ErrorOf(AnswerApplyTemplate(TestServedModel(), "[]")),
            "400 the body is a list, not a JSON object |  | invalid_type");
}

}  // namespace
}  // namespace bitfetch
