// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <memory>

#include "api/guarded.h"
#include "api/handles.h"
#include "api/model_options.h"
#include "bitfetch/bitfetch.h"

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_session_options_init(bitfetch_session_options* options,
                                              size_t struct_size) {
  return InitOptions(options, struct_size);
}

bitfetch_status bitfetch_session_open(const char* path, const bitfetch_session_options* options,
                                      bitfetch_session** session) {
  return Guarded([&] {
    BITFETCH_REQUIRE(path);
    BITFETCH_REQUIRE(session);
    bitfetch_session_options read;
    EngineOptions wanted;
    BITFETCH_RETURN_IF_NOT_OK(ReadOptions(options, &read, &wanted));
    bitfetch_model model;
    BITFETCH_RETURN_IF_NOT_OK(OpenModel(path, wanted, &model.opened));
    return bitfetch_session_create(&model, session);
  });
}

bitfetch_status bitfetch_session_create(const bitfetch_model* model, bitfetch_session** session) {
  return Guarded([&] {
    BITFETCH_REQUIRE(model);
    BITFETCH_REQUIRE(session);
    auto creating = std::make_unique<bitfetch_session>();
    BITFETCH_RETURN_IF_NOT_OK(
        bitfetch_sequence_create(model, /*salt=*/nullptr, &creating->sequence));
    *session = creating.release();
    return BITFETCH_OK;
  });
}

void bitfetch_session_close(bitfetch_session* session) {
  if (session == nullptr) return;
  bitfetch_sequence_free(session->sequence);
  delete session;
}

int64_t bitfetch_session_vocab(const bitfetch_session* session) {
  return session == nullptr ? 0 : session->sequence->model->tokenizer.size();
}
int64_t bitfetch_session_context(const bitfetch_session* session) {
  return session == nullptr ? 0 : session->sequence->model->engine->context();
}
int64_t bitfetch_session_length(const bitfetch_session* session) {
  return session == nullptr ? 0 : bitfetch_sequence_length(session->sequence);
}

bitfetch_status bitfetch_append(bitfetch_session* session, const int32_t* tokens, size_t count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    return bitfetch_sequence_append(session->sequence, tokens, count);
  });
}

bitfetch_status bitfetch_truncate(bitfetch_session* session, int64_t length) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    return bitfetch_sequence_truncate(session->sequence, length);
  });
}

bitfetch_status bitfetch_logits(bitfetch_session* session, float* logits) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    return bitfetch_sequence_logits(session->sequence, logits);
  });
}

bitfetch_status bitfetch_generate(bitfetch_session* session, const char* prompt, size_t bytes,
                                  const bitfetch_sampling* sampling, bitfetch_on_text on_text,
                                  void* user) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    return bitfetch_sequence_generate(session->sequence, prompt, bytes, sampling, on_text, user);
  });
}

}  // extern "C"
