// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_MODEL_INFO_H_
#define BITFETCH_SERVE_DIALECT_MODEL_INFO_H_

#include <string>
#include <string_view>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// What needs no engine: answers to GET /v1/models, /v1/models/{id} (404 for all but the one that is
// served) and /props (llama-server's, as far as it has a meaning here).
std::string WriteModels(const ServedModel& model);
ApiResult<std::string> WriteModel(const ServedModel& model, std::string_view id);
std::string WriteProps(const ServedModel& model);

// llama-server's POST /tokenize {"content", "add_special": false, "parse_special": false} ->
// {"tokens"}, of at most 2 MiB, which take a second; /detokenize {"tokens"} -> {"content"};
// /apply-template {"messages", "tools" ...} -> {"prompt"}.
ApiResult<std::string> AnswerTokenize(const ServedModel& model, std::string_view body);
ApiResult<std::string> AnswerDetokenize(const ServedModel& model, std::string_view body);
ApiResult<std::string> AnswerApplyTemplate(const ServedModel& model, std::string_view body);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_MODEL_INFO_H_
