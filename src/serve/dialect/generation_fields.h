// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_GENERATION_FIELDS_H_
#define BITFETCH_SERVE_DIALECT_GENERATION_FIELDS_H_

#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "serve/dialect/field.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"
#include "serve/schedule/completion.h"

namespace bitfetch {

// How a text goes on, as every dialect says it, from its own fields and the others' alike:
// sampling, penalties, logit_bias, seed, ignore_eos, cache_salt. What is not given is as the
// model's defaults have it. The task has no prompt yet.
CompletionTask ReadGeneration(const Field& request, const ServedModel& model,
                              const RequestOrigin& origin, double max_temperature);

// A string, or a list of up to 16.
void ReadStops(const Field& stop, CompletionTask* task);

// Null and -1: until the model stops.
void ReadMaxTokens(const Field& max_tokens, CompletionTask* task);

// OpenAI's stream, and include_usage of stream_options.
void ReadStreaming(const Field& request, bool* stream, bool* include_usage);

// How many answers to each prompt.
void ReadChoices(const Field& n, size_t* choices);

// Choice `i` of `n` of one prompt has the seed that is `i` above the first's.
void AddChoices(const CompletionTask& task, size_t n, std::vector<CompletionTask>* tasks);

// Known fields of a request that can't be had.
void RefuseUnsupported(const Field& request, std::initializer_list<std::string_view> keys);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_GENERATION_FIELDS_H_
