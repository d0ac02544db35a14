// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/embeddings.h"

#include <gtest/gtest.h>

#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

// It ends texts with EOS.
ServedModel TestEmbedder() {
  Vocabulary vocabulary = TestVocabulary();
  vocabulary.add_eos = true;
  return {.id = "tiny",
          .created = 1700000000,
          .tokenizer = *Tokenizer::Create(vocabulary),
          .chat_template = {},
          .context = 1000,
          .embeds = true};
}

TEST(Embeddings, TextsAreReadAsTheModelWantsThem) {
  const ServedModel model = TestEmbedder();
  const auto texts_of = [&](std::string_view body) {
    const auto request = ReadEmbeddings(model, body, {});
    if (!request) return ShowError(request.error());
    EXPECT_FALSE(request->stream);
    std::string shown;
    for (const CompletionTask& task : request->tasks) {
      EXPECT_TRUE(task.embeds);
      shown += ShowTokens(model, task.prompt) + ' ';
    }
    return shown;
  };
  EXPECT_EQ(texts_of(R"({"input": "the", "model": "x", "user": "u"})"), "the[end_of_text] ");
  EXPECT_EQ(texts_of(R"({"input": ["a", "b"], "encoding_format": "base64"})"),
            "a[end_of_text] b[end_of_text] ");
  EXPECT_EQ(texts_of(R"({"input": [97, 98]})"), "ab ");
  EXPECT_EQ(texts_of(R"({"input": [[97], [98]]})"), "a b ");
  EXPECT_EQ(texts_of(R"({"input": ""})"),
            "400 'input' is empty, and a model needs a token at least | input | "
            "invalid_value");
  EXPECT_EQ(texts_of(R"({"input": "a", "dimensions": 64})"),
            "400 'dimensions' is not supported | dimensions | unsupported_parameter");
  EXPECT_EQ(texts_of(R"({"input": "a", "encoding_format": "int8"})"),
            "400 'encoding_format' must be one of float, base64, and is 'int8' | encoding_format | "
            "invalid_value");
  EXPECT_EQ(ErrorOf(ReadEmbeddings(TestServedModel(), R"({"input": "a"})", {})),
            "400 the model tiny writes text and gives no embeddings | model | unsupported_value");
}

TEST(Embeddings, AreWrittenInBothForms) {
  const ServedModel model = TestEmbedder();
  const auto answer = [&](std::string_view body) {
    const auto request = ReadEmbeddings(model, body, {}).value();
    request.reply->OnEnd(1, {.prompt_tokens = 1, .embedding = {0.1f, 0}});
    request.reply->OnEnd(0, {.prompt_tokens = 2, .embedding = {0.5f, -1}});
    return request.reply->Finish();
  };
  EXPECT_EQ(
      answer(R"({"input": [[1, 2], [3]]})"),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]},)"
      R"({"object":"embedding","index":1,"embedding":[0.1,0]}],"model":"tiny","usage":{"prompt_tokens":3,"total_tokens":3}})");
  EXPECT_EQ(
      answer(R"({"input": [[1, 2], [3]], "encoding_format": "base64"})"),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},)"
      R"({"object":"embedding","index":1,"embedding":"zczMPQAAAAA="}],"model":"tiny","usage":{"prompt_tokens":3,"total_tokens":3}})");
}

}  // namespace
}  // namespace bitfetch
