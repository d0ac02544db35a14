// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/embeddings.h"

#include <sodium.h>

#include <memory>
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

Json InFloats(const std::vector<float>& embedding) {
  return {fmt::format("[{}]", fmt::join(embedding, ","))};
}

class EmbeddingReply : public Reply {
 public:
  // `base64`: of little-endian floats, which SDKs ask for unasked.
  EmbeddingReply(std::string model, size_t texts, bool base64)
      : model_(std::move(model)), embeddings_(texts), base64_(base64) {}

  std::string OnPrompt(size_t, std::vector<TokenLogprob>) override { return {}; }
  std::string OnPiece(size_t, CompletionPiece) override { return {}; }
  std::string OnEnd(size_t task, const CompletionEnd& end) override {
    embeddings_[task] = base64_ ? InBase64(end.embedding) : InFloats(end.embedding);
    tokens_ += end.prompt_tokens;
    return {};
  }
  std::string Finish() override {
    std::vector<Json> data;
    for (size_t i = 0; i < embeddings_.size(); ++i) {
      data.push_back(
          JsonObject().Add("object", "embedding").Add("index", i).Add("embedding", embeddings_[i]));
    }
    const Json usage = JsonObject().Add("prompt_tokens", tokens_).Add("total_tokens", tokens_);
    return Json(JsonObject()
                    .Add("object", "list")
                    .Add("data", data)
                    .Add("model", model_)
                    .Add("usage", usage))
        .text;
  }
  std::string Fail(const ApiError&) override { return {}; }  // never streamed

 private:
  std::string model_;
  std::vector<Json> embeddings_;
  bool base64_;
  int64_t tokens_ = 0;
};

}  // namespace

ApiResult<CompletionRequest> ReadEmbeddings(const ServedModel& model, std::string_view body,
                                            const RequestOrigin& origin) {
  if (!model.embeds) {
    return tl::unexpected(ApiError{
        .message = fmt::format("the model {} writes text and gives no embeddings", model.id),
        .param = "model",
        .code = "unsupported_value"});
  }
  RequestBody parsed(body);
  const Field request = parsed.fields();
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
  BITFETCH_RETURN_IF_ERROR(parsed.Check());

  CompletionRequest read;
  for (const ListedPrompt& prompt : prompts) {
    CompletionTask task{.prompt = {}, .embeds = true, .salt = {}, .client = origin.client};
    BITFETCH_ASSIGN_OR_RETURN(task.prompt, PromptIds(model, prompt));
    if (prompt.text) model.tokenizer.EndText(&task.prompt);
    read.tasks.push_back(std::move(task));
  }
  read.reply = std::make_unique<EmbeddingReply>(model.id, prompts.size(), format == "base64");
  return read;
}

}  // namespace bitfetch
