// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "api/guarded.h"
#include "api/handles.h"
#include "api/model_options.h"
#include "bitfetch/bitfetch.h"

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_model_options_init(bitfetch_model_options* options, size_t struct_size) {
  return InitOptions(options, struct_size);
}

bitfetch_status bitfetch_model_open(const char* path, const bitfetch_model_options* options,
                                    bitfetch_model** model) {
  return Guarded([&] {
    BITFETCH_REQUIRE(path);
    BITFETCH_REQUIRE(model);
    bitfetch_model_options read;
    EngineOptions wanted;
    BITFETCH_RETURN_IF_NOT_OK(ReadOptions(options, &read, &wanted));
    BITFETCH_RETURN_IF_NOT_OK(CheckNotNegative("kv_tokens", read.kv_tokens));
    wanted.kv_tokens = read.kv_tokens != 0 ? read.kv_tokens : EngineOptions::kHalfOfFreeMemory;
    auto opening = std::make_unique<bitfetch_model>();
    BITFETCH_RETURN_IF_NOT_OK(OpenModel(path, wanted, &opening->opened));
    *model = opening.release();
    return BITFETCH_OK;
  });
}

void bitfetch_model_close(bitfetch_model* model) { delete model; }

int64_t bitfetch_model_vocab(const bitfetch_model* model) {
  return model == nullptr ? 0 : model->opened->tokenizer.size();
}

int64_t bitfetch_model_hidden(const bitfetch_model* model) {
  return model == nullptr ? 0 : model->opened->engine->model().config().hidden;
}

int64_t bitfetch_model_context(const bitfetch_model* model) {
  return model == nullptr ? 0 : model->opened->engine->context();
}

}  // extern "C"
