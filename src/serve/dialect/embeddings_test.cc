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
    const auto request = ReadEmbeddings(model, body);
    if (!request) return ShowError(request.error());
    std::string shown = request->base64 ? "base64" : "float";
    for (const auto& text : request->texts) shown += ' ' + ShowTokens(model, text);
    return shown;
  };
  EXPECT_EQ(texts_of(R"({"input": "the", "model": "x", "user": "u"})"), "float the[end_of_text]");
  EXPECT_EQ(texts_of(R"({"input": ["a", "b"], "encoding_format": "base64"})"),
            "base64 a[end_of_text] b[end_of_text]");
  EXPECT_EQ(texts_of(R"({"input": [97, 98]})"), "float ab");
  EXPECT_EQ(texts_of(R"({"input": [[97], [98]]})"), "float a b");
  EXPECT_EQ(texts_of(R"({"input": ""})"),
            "400 'input' is empty, and a model needs a token at least | input | "
            "invalid_value");
  EXPECT_EQ(texts_of(R"({"input": "a", "dimensions": 64})"),
            "400 'dimensions' is not supported | dimensions | unsupported_parameter");
  EXPECT_EQ(texts_of(R"({"input": "a", "encoding_format": "int8"})"),
            "400 'encoding_format' must be one of float, base64, and is 'int8' | encoding_format | "
            "invalid_value");
  EXPECT_EQ(ErrorOf(ReadEmbeddings(TestServedModel(), R"({"input": "a"})")),
            "400 the model tiny writes text and gives no embeddings | model | unsupported_value");
}

TEST(Embeddings, AreWrittenInBothForms) {
  const ServedModel model = TestEmbedder();
  const std::vector<std::vector<float>> embeddings = {{0.5f, -1}, {0.1f, 0}};
  EmbeddingRequest request = {.texts = {{1, 2}, {3}}};
  EXPECT_EQ(
      WriteEmbeddings(model, request, embeddings),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]},)"
      R"({"object":"embedding","index":1,"embedding":[0.1,0]}],"model":"tiny","usage":{"prompt_tokens":3,"total_tokens":3}})");
  request.base64 = true;
  EXPECT_EQ(
      WriteEmbeddings(model, request, embeddings),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},)"
      R"({"object":"embedding","index":1,"embedding":"zczMPQAAAAA="}],"model":"tiny","usage":{"prompt_tokens":3,"total_tokens":3}})");
}

}  // namespace
}  // namespace bitfetch
