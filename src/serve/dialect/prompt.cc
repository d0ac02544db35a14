// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/prompt.h"

namespace bitfetch {
namespace {

tl::unexpected<ApiError> TooLong(const ServedModel& model, std::string_view size,
                                 std::string_view param) {
  return tl::unexpected(
      ApiError{.message = fmt::format("'{}' has {}, which do not fit: the maximum context length "
                                      "is {} tokens, one of them for an answer",
                                      param, size, model.context),
               .param = std::string(param),
               .code = "context_length_exceeded"});
}

}  // namespace

ApiResult<void> CheckBytes(const ServedModel& model, size_t bytes, std::string_view param) {
  if (bytes <= model.tokenizer.MaxTextBytes(model.context)) return {};
  return TooLong(model, fmt::format("{} bytes", bytes), param);
}

ApiResult<void> CheckPrompt(const ServedModel& model, const std::vector<int>& ids,
                            std::string_view param) {
  if (ids.empty()) {
    return tl::unexpected(
        ApiError{.message = fmt::format("'{}' is empty, and a model needs a token at least", param),
                 .param = std::string(param),
                 .code = "invalid_value"});
  }
  if (std::ssize(ids) < model.context) return {};
  return TooLong(model, fmt::format("{} tokens", ids.size()), param);
}

ApiResult<std::vector<int>> EncodePrompt(const ServedModel& model, std::string_view text,
                                         std::string_view param) {
  BITFETCH_RETURN_IF_ERROR(CheckBytes(model, text.size(), param));
  auto ids = model.tokenizer.Encode(text, model.tokenizer.add_bos());
  if (!ids) {
    return tl::unexpected(ApiError{.message = ids.error().message, .param = std::string(param)});
  }
  BITFETCH_RETURN_IF_ERROR(CheckPrompt(model, *ids, param));
  return *std::move(ids);
}

}  // namespace bitfetch
