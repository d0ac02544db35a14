// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/embeddings.h"

#include <sodium.h>

#include <utility>

#include "serve/dialect/json_object.h"
#include "serve/dialect/prompt_list.h"

namespace bitfetch {
namespace {

constexpr size_t kMaxTexts = 2048;

Json InBase64(const std::vector<float>& embedding) {
  constexpr int kForm = sodium_base64_VARIANT_ORIGINAL;
  const size_t bytes = embedding.size() * sizeof(float);
  std::string text(sodium_base64_encoded_len(bytes, kForm), '\0');
  sodium_bin2base64(text.data(), text.size(),
                    reinterpret_cast<const unsigned char*>(embedding.data()), bytes, kForm);
  text.pop_back();  // the 0 of C's strings
  return ToJson(text);
}

}  // namespace

ApiResult<EmbeddingRequest> ReadEmbeddings(const ServedModel& model, std::string_view body) {
  if (!model.embeds) {
    return tl::unexpected(ApiError{
        .message = fmt::format("the model {} writes text and gives no embeddings", model.id),
        .param = "model",
        .code = "unsupported_value"});
  }
  BITFETCH_ASSIGN_OR_RETURN(const JsonValue json, ParseBody(body));
  std::optional<ApiError> error;
  const Field request(json, &error);
  std::string any_model;
  request["model"].Get(&any_model);
  std::string format = "float";
  request["encoding_format"].GetOneOf(&format, {"float", "base64"});
  request["dimensions"].RefuseUnsupported();
  const std::vector<ListedPrompt> prompts = ReadPromptList(request["input"], model.tokenizer);
  if (prompts.size() > kMaxTexts) {
    request["input"].Refuse(
        fmt::format("must hold at most {} texts, and has {}", kMaxTexts, prompts.size()));
  }
  if (error) return tl::unexpected(*std::move(error));

  EmbeddingRequest read = {.texts = {}, .base64 = format == "base64"};
  for (const ListedPrompt& prompt : prompts) {
    BITFETCH_ASSIGN_OR_RETURN(std::vector<int> ids, PromptIds(model, prompt));
    if (prompt.text) model.tokenizer.EndText(&ids);
    read.texts.push_back(std::move(ids));
  }
  return read;
}

std::string WriteEmbeddings(const ServedModel& model, const EmbeddingRequest& request,
                            std::span<const std::vector<float>> embeddings) {
  std::vector<Json> data;
  size_t tokens = 0;
  for (size_t i = 0; i < embeddings.size(); ++i) {
    const Json embedding = request.base64
                               ? InBase64(embeddings[i])
                               : Json{fmt::format("[{}]", fmt::join(embeddings[i], ","))};
    data.push_back(
        JsonObject().Add("object", "embedding").Add("index", i).Add("embedding", embedding));
    tokens += request.texts[i].size();
  }
  const Json usage = JsonObject().Add("prompt_tokens", tokens).Add("total_tokens", tokens);
  return Json(JsonObject()
                  .Add("object", "list")
                  .Add("data", data)
                  .Add("model", model.id)
                  .Add("usage", usage))
      .text;
}

}  // namespace bitfetch
