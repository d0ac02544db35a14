// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/model_info.h"

#include <utility>
#include <vector>

#include "base/utf8.h"
#include "serve/dialect/chat_messages.h"
#include "serve/dialect/conversation.h"
#include "serve/dialect/json_object.h"

namespace bitfetch {
namespace {

JsonObject ModelObject(const ServedModel& model) {
  return JsonObject()
      .Add("id", model.id)
      .Add("object", "model")
      .Add("created", model.created)
      .Add("owned_by", "bitfetch")
      .Add("max_model_len", model.context);
}

}  // namespace

std::string WriteModels(const ServedModel& model) {
  const std::vector<Json> data = {ModelObject(model)};
  return Json(JsonObject().Add("object", "list").Add("data", data)).text;
}

ApiResult<std::string> WriteModel(const ServedModel& model, std::string_view id) {
  if (id == model.id) return Json(ModelObject(model)).text;
  return tl::unexpected(
      ApiError{.status = 404,
               .message = fmt::format("the model '{}' is not served here", ReplaceBrokenUtf8(id)),
               .param = "model",
               .code = "model_not_found"});
}

std::string WriteProps(const ServedModel& model) {
  const SamplerOptions& sampling = model.sampling;
  const Json params = JsonObject()
                          .Add("temperature", sampling.temperature)
                          .Add("top_k", sampling.top_k)
                          .Add("top_p", sampling.top_p)
                          .Add("min_p", sampling.min_p)
                          .Add("repeat_penalty", sampling.repeat_penalty)
                          .Add("repeat_last_n", sampling.repeat_window);
  const auto token = [&](int id) {
    return id < 0 ? Json() : ToJson(model.tokenizer.ControlName(id));
  };
  return Json(JsonObject()
                  .Add("default_generation_settings",
                       JsonObject().Add("n_ctx", model.context).Add("params", params))
                  .Add("total_slots", model.parallel)
                  .Add("model_alias", model.id)
                  .Add("chat_template",
                       model.chat_template ? ToJson(model.chat_template->text()) : Json())
                  .Add("bos_token", token(model.tokenizer.bos()))
                  .Add("eos_token", token(model.tokenizer.eos()))
                  .Add("modalities", JsonObject().Add("vision", false).Add("audio", false))
                  .Add("build_info", "bitfetch " BITFETCH_VERSION))
      .text;
}

ApiResult<std::string> AnswerTokenize(const ServedModel& model, std::string_view body) {
  constexpr size_t kMaxBytes = size_t{2} << 20;
  RequestBody parsed(body);
  const Field request = parsed.fields();
  std::string content;
  bool add_special = false, parse_special = false;
  request["content"].Require();
  request["content"].Get(&content);
  request["add_special"].Get(&add_special);
  request["parse_special"].Get(&parse_special);
  request["with_pieces"].RefuseUnsupported();
  if (content.size() > kMaxBytes) {
    request["content"].Refuse(
        fmt::format("must be of at most {} bytes, and is of {}", kMaxBytes, content.size()));
  }
  BITFETCH_RETURN_IF_ERROR(parsed.Check());

  auto ids = model.tokenizer.Encode(content, add_special && model.tokenizer.add_bos(), nullptr,
                                    parse_special);
  if (!ids) return tl::unexpected(ApiError{.message = ids.error().message, .param = "content"});
  if (add_special) model.tokenizer.EndText(&*ids);
  return fmt::format("{{\"tokens\":[{}]}}", fmt::join(*ids, ","));
}

ApiResult<std::string> AnswerDetokenize(const ServedModel& model, std::string_view body) {
  RequestBody parsed(body);
  const Field request = parsed.fields();
  std::vector<int> ids;
  request["tokens"].Require();
  request["tokens"].Get(&ids, model.tokenizer.size());
  BITFETCH_RETURN_IF_ERROR(parsed.Check());
  // The ids are in range.
  return Json(JsonObject().Add("content", *model.tokenizer.Decode(ids))).text;
}

ApiResult<std::string> AnswerApplyTemplate(const ServedModel& model, std::string_view body) {
  RequestBody parsed(body);
  const Conversation conversation = ReadChatMessages(parsed.fields(), model);
  BITFETCH_RETURN_IF_ERROR(parsed.Check());
  BITFETCH_ASSIGN_OR_RETURN(const TracedText text,
                            RenderConversation(model, conversation, "messages"));
  return Json(JsonObject().Add("prompt", text.bytes())).text;
}

}  // namespace bitfetch
