// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/error_body.h"

#include <string_view>

namespace bitfetch {
namespace {

Json TextOrNull(std::string_view text) { return text.empty() ? Json() : ToJson(text); }

std::string_view AnthropicType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

}  // namespace

Json OpenAiError(const ApiError& error) {
  return JsonObject().Add("error", JsonObject()
                                       .Add("message", error.message)
                                       .Add("type", error.type)
                                       .Add("param", TextOrNull(error.param))
                                       .Add("code", TextOrNull(error.code)));
}

Json AnthropicError(const ApiError& error) {
  return JsonObject()
      .Add("type", "error")
      .Add("error",
           JsonObject().Add("type", AnthropicType(error.status)).Add("message", error.message));
}

}  // namespace bitfetch
