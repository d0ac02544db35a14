// SPDX-License-Identifier: Apache-2.0
// Text to tokens and back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>

#include "api/guarded.h"
#include "api/handles.h"
#include "bitfetch/bitfetch.h"

namespace bitfetch {
namespace {

bitfetch_status Tokenize(const OpenedModel& model, const char* text, size_t bytes, bool first,
                         bool special, int32_t* tokens, size_t capacity, size_t* count) {
  BITFETCH_REQUIRE(count);
  if (bytes > 0) BITFETCH_REQUIRE(text);
  if (capacity > 0) BITFETCH_REQUIRE(tokens);
  const auto ids = model.Encode(std::string_view(text, bytes), first, special);
  if (!ids) return Fails(BITFETCH_FAILED, ids.error().message);
  std::copy_n(ids->data(), std::min(capacity, ids->size()), tokens);
  *count = ids->size();
  return BITFETCH_OK;
}

bitfetch_status Tokenize(const bitfetch_session* session, const char* text, size_t bytes,
                         bool special, int32_t* tokens, size_t capacity, size_t* count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    return Tokenize(*session->sequence->model, text, bytes, bitfetch_session_length(session) == 0,
                    special, tokens, capacity, count);
  });
}

bitfetch_status TokenBytes(const OpenedModel& model, int32_t token, const char** data,
                           size_t* bytes) {
  BITFETCH_REQUIRE(data);
  BITFETCH_REQUIRE(bytes);
  const Tokenizer& tokenizer = model.tokenizer;
  if (token < 0 || token >= tokenizer.size()) {
    return Fails(
        BITFETCH_INVALID_ARGUMENT,
        fmt::format("token {} is out of range: the vocabulary has {}", token, tokenizer.size()));
  }
  const std::string_view text = tokenizer.TokenBytes(token);
  *data = text.data();
  *bytes = text.size();
  return BITFETCH_OK;
}

}  // namespace
}  // namespace bitfetch

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_model_tokenize(const bitfetch_model* model, const char* text, size_t bytes,
                                        int first, int special, int32_t* tokens, size_t capacity,
                                        size_t* count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(model);
    return Tokenize(*model->opened, text, bytes, first != 0, special != 0, tokens, capacity, count);
  });
}

bitfetch_status bitfetch_model_token_bytes(const bitfetch_model* model, int32_t token,
                                           const char** data, size_t* bytes) {
  return Guarded([&] {
    BITFETCH_REQUIRE(model);
    return TokenBytes(*model->opened, token, data, bytes);
  });
}

bitfetch_status bitfetch_model_detokenize(const bitfetch_model* model, const int32_t* tokens,
                                          size_t count, char* text, size_t capacity,
                                          size_t* bytes) {
  return Guarded([&] {
    BITFETCH_REQUIRE(model);
    BITFETCH_REQUIRE(bytes);
    if (count > 0) BITFETCH_REQUIRE(tokens);
    if (capacity > 0) BITFETCH_REQUIRE(text);
    const auto decoded = model->opened->tokenizer.Decode(std::span<const int>(tokens, count));
    if (!decoded) return Fails(BITFETCH_INVALID_ARGUMENT, decoded.error().message);
    std::copy_n(decoded->data(), std::min(capacity, decoded->size()), text);
    *bytes = decoded->size();
    return BITFETCH_OK;
  });
}

int bitfetch_model_is_stop(const bitfetch_model* model, int32_t token) {
  if (model == nullptr) return 0;
  return std::ranges::binary_search(model->opened->tokenizer.StopTokens(), token) ? 1 : 0;
}

bitfetch_status bitfetch_tokenize(const bitfetch_session* session, const char* text, size_t bytes,
                                  int32_t* tokens, size_t capacity, size_t* count) {
  return Tokenize(session, text, bytes, /*special=*/false, tokens, capacity, count);
}

bitfetch_status bitfetch_tokenize_special(const bitfetch_session* session, const char* text,
                                          size_t bytes, int32_t* tokens, size_t capacity,
                                          size_t* count) {
  return Tokenize(session, text, bytes, /*special=*/true, tokens, capacity, count);
}

bitfetch_status bitfetch_token_bytes(const bitfetch_session* session, int32_t token,
                                     const char** data, size_t* bytes) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    return TokenBytes(*session->sequence->model, token, data, bytes);
  });
}

}  // extern "C"
