// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/generation_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr size_t kMaxBiases = 1024;
constexpr int64_t kMaxInt = std::numeric_limits<int>::max();

// {"id": -100 to 100}
void ReadBias(const Field& biases, int vocabulary, std::vector<Logit>* list) {
  if (!biases.given()) return;
  const auto* object = biases.value()->As<JsonValue::Object>();
  if (object == nullptr) return biases.Refuse("must be an object", "invalid_type");
  if (object->size() > kMaxBiases) {
    return biases.Refuse(
        fmt::format("must have at most {} tokens, and has {}", kMaxBiases, object->size()));
  }
  for (const auto& [key, value] : *object) {
    int id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0 || id >= vocabulary) {
      return biases.Refuse(fmt::format("must have token ids from 0 to {} as keys, and has '{}'",
                                       vocabulary - 1, Printable(key)));
    }
    double bias = 0;
    biases[key].Get(&bias, -100, 100);
    if (std::ranges::find(*list, id, &Logit::id) == list->end()) {
      list->push_back({id, static_cast<float>(bias)});
    }
  }
}

}  // namespace

CompletionTask ReadGeneration(const Field& request, const ServedModel& model,
                              const RequestOrigin& origin, double max_temperature) {
  std::string any_model;
  request["model"].Get(&any_model);
  CompletionTask task;
  task.sampling = model.sampling;
  task.client = origin.client;
  SamplerOptions& sampling = task.sampling;
  request["temperature"].Get(&sampling.temperature, 0, max_temperature);
  request["top_k"].Get(&sampling.top_k, -1, kMaxInt);
  sampling.top_k = std::max(sampling.top_k, 0);  // -1 is vLLM's "all"
  request["top_p"].Get(&sampling.top_p, 0, 1);
  // 0 leaves the likeliest token, as any share that it alone reaches.
  sampling.top_p = std::max(sampling.top_p, std::numeric_limits<double>::min());
  request["min_p"].Get(&sampling.min_p, 0, 1);
  for (const char* name : {"repeat_penalty", "repetition_penalty"}) {
    request[name].Get(&sampling.repeat_penalty, 1e-3, 1e3);
  }
  request["frequency_penalty"].Get(&sampling.frequency_penalty, -2, 2);
  request["presence_penalty"].Get(&sampling.presence_penalty, -2, 2);
  request["repeat_last_n"].Get(&sampling.repeat_window, 0, kMaxInt);

  bool ignores_end = false;
  request["ignore_eos"].Get(&ignores_end);
  if (ignores_end) {
    for (const int id : model.tokenizer.StopTokens()) {
      sampling.bias.push_back({id, -std::numeric_limits<float>::infinity()});
    }
  }
  ReadBias(request["logit_bias"], model.tokenizer.size(), &sampling.bias);

  int64_t seed = -1;
  request["seed"].Get(&seed, std::numeric_limits<int64_t>::min(),
                      std::numeric_limits<int64_t>::max());
  sampling.seed = seed == -1 ? origin.seed : static_cast<uint64_t>(seed);
  request["cache_salt"].Get(&task.salt);
  RefuseUnsupported(request, {"mirostat", "dry_multiplier", "xtc_probability", "dynatemp_range",
                              "grammar", "json_schema", "structured_outputs", "guided_json",
                              "guided_regex", "guided_choice", "guided_grammar"});
  return task;
}

void ReadStops(const Field& stop, CompletionTask* task) {
  constexpr size_t kMaxStops = 16;
  constexpr size_t kMaxBytes = 256;  // each byte of an answer is compared with all of them
  std::vector<Field> items = {stop};
  if (stop.Is<JsonValue::List>()) items = stop.Items();
  if (items.size() > kMaxStops) {
    return stop.Refuse(
        fmt::format("must hold at most {} strings, and has {}", kMaxStops, items.size()));
  }
  for (const Field& item : items) {
    if (!item.given()) continue;
    std::string text;
    item.Get(&text);
    if (text.empty() || text.size() > kMaxBytes) {
      item.Refuse(fmt::format("must be of 1 to {} bytes, and is of {}", kMaxBytes, text.size()));
    }
    task->generate.stops.push_back(std::move(text));
  }
}

void ReadMaxTokens(const Field& max_tokens, CompletionTask* task) {
  max_tokens.Get(&task->generate.max_tokens, -1, std::numeric_limits<int64_t>::max());
}

void ReadStreaming(const Field& request, bool* stream, bool* include_usage) {
  request["stream"].Get(stream);
  const Field options = request["stream_options"];
  options["include_usage"].Get(include_usage);
  if (options.given() && !*stream) options.Refuse("is only for streams");
}

void ReadChoices(const Field& n, size_t* choices) {
  constexpr int kMaxChoices = 128;
  n.Get(choices, 1, kMaxChoices);
}

void AddChoices(const CompletionTask& task, size_t n, std::vector<CompletionTask>* tasks) {
  for (size_t i = 0; i < n; ++i) {
    tasks->push_back(task);
    tasks->back().sampling.seed += i;
  }
}

void RefuseUnsupported(const Field& request, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) request[key].RefuseUnsupported();
}

}  // namespace bitfetch
