// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/sized_struct.h"
#include "base/printable.h"
#include "bitfetch/bitfetch.h"
#include "engine/generate.h"
#include "engine/read_tokenizer.h"
#include "engine/session.h"
#include "kernels/attention.h"
#include "kv/kv_cache.h"
#include "machine/profile_store.h"
#include "machine/topology.h"
#include "model/model_config.h"

struct bitfetch_session {
  std::unique_ptr<bitfetch::Session> session;
  bitfetch::Tokenizer tokenizer;
};

struct bitfetch_cache {
  bitfetch::KvCache cache;
};

struct bitfetch_attention {
  bitfetch_attention(const bitfetch::Kernels& kernels,
                     std::unique_ptr<bitfetch::ThreadPool> threads,
                     bitfetch::MachineProfile machine)
      : kernels(kernels),
        pool(std::move(threads)),
        machine(std::move(machine)),
        attention(kernels, *pool) {}

  const bitfetch::Kernels& kernels;
  std::unique_ptr<bitfetch::ThreadPool> pool;
  bitfetch::MachineProfile machine;
  bitfetch::Attention attention;
};

namespace bitfetch {
namespace {

thread_local std::string last_error;

bitfetch_status Fails(bitfetch_status status, std::string_view message) noexcept {
  try {
    last_error = OneLine(message);
  } catch (...) {
    last_error.clear();
  }
  return status;
}

// Runs `body`, which returns a bitfetch_status, and lets nothing through that it throws.
template <class Body>
bitfetch_status Guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Fails(BITFETCH_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return Fails(BITFETCH_FAILED, error.what());
  } catch (...) {
    return Fails(BITFETCH_FAILED, "an unknown error");
  }
}

bitfetch_status Told(const Status& status) {
  return status ? BITFETCH_OK : Fails(BITFETCH_FAILED, status.error().message);
}

// Of an argument that no state of the object, and no machine, would allow.
bitfetch_status Allowed(const Status& status) {
  return status ? BITFETCH_OK : Fails(BITFETCH_INVALID_ARGUMENT, status.error().message);
}

bitfetch_status NullPointer(const char* what) {
  return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("{} is a null pointer", what));
}

#define BITFETCH_REQUIRE(pointer) \
  if ((pointer) == nullptr) return NullPointer(#pointer)

// `to` as `parse` reads a name; null leaves it as it is.
template <class T, class Parse>
bitfetch_status ReadName(const char* what, const char* name, Parse parse, T* to) {
  if (name == nullptr) return BITFETCH_OK;
  auto read = parse(name);
  if (!read) {
    return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("{}: {}", what, read.error().message));
  }
  *to = *std::move(read);
  return BITFETCH_OK;
}

#define BITFETCH_RETURN_IF_NOT_OK(expression) \
  if (const bitfetch_status status_ = (expression); status_ != BITFETCH_OK) return status_

bitfetch_status CheckThreads(int threads) {
  if (threads >= 0 && threads <= ThreadPool::kMaxThreads) return BITFETCH_OK;
  return Fails(BITFETCH_INVALID_ARGUMENT,
               fmt::format("threads: {} is not from 0 to {}", threads, ThreadPool::kMaxThreads));
}

bitfetch_status CheckLength(int64_t length) {
  if (length >= 0) return BITFETCH_OK;
  return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("length: {} is negative", length));
}

bitfetch_status CheckToken(int64_t token, int64_t vocab) {
  if (token >= 0 && token < vocab) return BITFETCH_OK;
  return Fails(BITFETCH_INVALID_ARGUMENT,
               fmt::format("token {} is out of range: the vocabulary has {}", token, vocab));
}

// The last members of the first versions; those that came later stand behind them.
constexpr size_t kFirstOptions = BITFETCH_FIRST_VERSION(bitfetch_session_options, mmap);
constexpr size_t kFirstSampling = BITFETCH_FIRST_VERSION(bitfetch_sampling, seed);
constexpr size_t kFirstShape = BITFETCH_FIRST_VERSION(bitfetch_cache_shape, pages);

constexpr bitfetch_session_options kDefaultOptions = {.struct_size = sizeof(kDefaultOptions),
                                                      .threads = 0,
                                                      .context = 0,
                                                      .kv_type = "f16",
                                                      .pages = "huge",
                                                      .prefetch = "auto",
                                                      .prefetch_ahead = 1,
                                                      .mmap = 1};

constexpr bitfetch_sampling kDefaultSampling = {.struct_size = sizeof(kDefaultSampling),
                                                .max_tokens = -1,
                                                .temperature = kUsualSampling.temperature,
                                                .top_k = kUsualSampling.top_k,
                                                .top_p = kUsualSampling.top_p,
                                                .min_p = kUsualSampling.min_p,
                                                .repeat_penalty = kUsualSampling.repeat_penalty,
                                                .seed = kUsualSampling.seed};

bitfetch_status ReadOptions(const bitfetch_session_options* given, EngineOptions* to) {
  bitfetch_session_options from = kDefaultOptions;
  if (given != nullptr) {
    BITFETCH_RETURN_IF_NOT_OK(Allowed(ReadSized("options", given, kFirstOptions, &from)));
  }
  BITFETCH_RETURN_IF_NOT_OK(CheckThreads(from.threads));
  if (from.context < 0) {
    return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("context: {} is negative", from.context));
  }
  to->threads = from.threads;
  to->context = from.context;
  BITFETCH_RETURN_IF_NOT_OK(ReadName("kv_type", from.kv_type, ParseKvTypes, &to->kv_types));
  BITFETCH_RETURN_IF_NOT_OK(ReadName("pages", from.pages, ParsePageSize, &to->pages));
  BITFETCH_RETURN_IF_NOT_OK(
      ReadName("prefetch", from.prefetch, ParsePrefetchSetting, &to->prefetch));
  to->prefetch_ahead = from.prefetch_ahead != 0;
  to->mmap = from.mmap != 0;
  return BITFETCH_OK;
}

// BOS in front where the model wants one and nothing comes before.
Result<std::vector<int>> Encode(const bitfetch_session& session, std::string_view text,
                                bool special) {
  const Tokenizer& tokenizer = session.tokenizer;
  return tokenizer.Encode(text, tokenizer.add_bos() && session.session->length() == 0,
                          /*replaced=*/nullptr, special);
}

bitfetch_status Tokenize(const bitfetch_session* session, const char* text, size_t bytes,
                         bool special, int32_t* tokens, size_t capacity, size_t* count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    BITFETCH_REQUIRE(count);
    if (bytes > 0) BITFETCH_REQUIRE(text);
    if (capacity > 0) BITFETCH_REQUIRE(tokens);
    const auto ids = Encode(*session, std::string_view(text, bytes), special);
    if (!ids) return Fails(BITFETCH_FAILED, ids.error().message);
    for (size_t i = 0; i < std::min(capacity, ids->size()); ++i) tokens[i] = (*ids)[i];
    *count = ids->size();
    return BITFETCH_OK;
  });
}

bitfetch_status Append(bitfetch_session& session, std::span<const int> tokens) {
  return Told(session.session->Append(tokens).map([](bool) {}));
}

}  // namespace
}  // namespace bitfetch

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

const char* bitfetch_last_error(void) { return last_error.c_str(); }

const char* bitfetch_version(void) { return BITFETCH_VERSION; }

const char* bitfetch_isa(void) {
  const auto kernels = ChooseKernels();
  return kernels ? IsaName((*kernels)->isa).data() : "none";
}

bitfetch_status bitfetch_session_options_init(bitfetch_session_options* options,
                                              size_t struct_size) {
  return Guarded([&] {
    BITFETCH_REQUIRE(options);
    return Allowed(WriteSized("options", kDefaultOptions, kFirstOptions, options, struct_size));
  });
}

bitfetch_status bitfetch_session_open(const char* path, const bitfetch_session_options* options,
                                      bitfetch_session** session) {
  return Guarded([&] {
    BITFETCH_REQUIRE(path);
    BITFETCH_REQUIRE(session);
    EngineOptions read;
    BITFETCH_RETURN_IF_NOT_OK(ReadOptions(options, &read));
    auto opened = Session::Open(path, read);
    if (!opened) return Fails(BITFETCH_FAILED, opened.error().message);
    const Model& model = (*opened)->model();
    auto tokenizer = ReadTokenizerFor(model.file(), model.config().vocab);
    if (!tokenizer) return Fails(BITFETCH_FAILED, tokenizer.error().message);
    *session = new bitfetch_session{*std::move(opened), *std::move(tokenizer)};
    return BITFETCH_OK;
  });
}

void bitfetch_session_close(bitfetch_session* session) { delete session; }

int64_t bitfetch_session_vocab(const bitfetch_session* session) {
  return session == nullptr ? 0 : session->session->model().config().vocab;
}
int64_t bitfetch_session_context(const bitfetch_session* session) {
  return session == nullptr ? 0 : session->session->context();
}
int64_t bitfetch_session_length(const bitfetch_session* session) {
  return session == nullptr ? 0 : session->session->length();
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
    BITFETCH_REQUIRE(data);
    BITFETCH_REQUIRE(bytes);
    BITFETCH_RETURN_IF_NOT_OK(CheckToken(token, session->tokenizer.size()));
    const std::string_view text = session->tokenizer.TokenBytes(token);
    *data = text.data();
    *bytes = text.size();
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_append(bitfetch_session* session, const int32_t* tokens, size_t count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    if (count == 0) return BITFETCH_OK;
    BITFETCH_REQUIRE(tokens);
    const std::span<const int> more(tokens, count);
    for (const int token : more) {
      BITFETCH_RETURN_IF_NOT_OK(CheckToken(token, bitfetch_session_vocab(session)));
    }
    return Append(*session, more);
  });
}

bitfetch_status bitfetch_truncate(bitfetch_session* session, int64_t length) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    BITFETCH_RETURN_IF_NOT_OK(CheckLength(length));
    session->session->Truncate(length);
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_logits(bitfetch_session* session, float* logits) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    BITFETCH_REQUIRE(logits);
    const auto all = session->session->Logits();
    if (!all) return Fails(BITFETCH_FAILED, all.error().message);
    for (const Logit& logit : *all) logits[logit.id] = logit.value;
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_sampling_init(bitfetch_sampling* sampling, size_t struct_size) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sampling);
    return Allowed(WriteSized("sampling", kDefaultSampling, kFirstSampling, sampling, struct_size));
  });
}

bitfetch_status bitfetch_generate(bitfetch_session* session, const char* prompt, size_t bytes,
                                  const bitfetch_sampling* sampling, bitfetch_on_text on_text,
                                  void* user) {
  return Guarded([&] {
    BITFETCH_REQUIRE(session);
    BITFETCH_REQUIRE(on_text);
    if (bytes > 0) BITFETCH_REQUIRE(prompt);
    bitfetch_sampling wanted = kDefaultSampling;
    if (sampling != nullptr) {
      BITFETCH_RETURN_IF_NOT_OK(Allowed(ReadSized("sampling", sampling, kFirstSampling, &wanted)));
    }
    if (wanted.max_tokens < -1) {
      return Fails(BITFETCH_INVALID_ARGUMENT,
                   fmt::format("max_tokens: {} is less than -1", wanted.max_tokens));
    }
    auto sampler = Sampler::Create({.temperature = wanted.temperature,
                                    .top_k = wanted.top_k,
                                    .top_p = wanted.top_p,
                                    .min_p = wanted.min_p,
                                    .repeat_penalty = wanted.repeat_penalty,
                                    .seed = wanted.seed});
    if (!sampler) return Fails(BITFETCH_INVALID_ARGUMENT, sampler.error().message);
    const auto tokens = Encode(*session, std::string_view(prompt, bytes), /*special=*/false);
    if (!tokens) return Fails(BITFETCH_FAILED, tokens.error().message);
    const std::atomic<bool> never = false;
    Rollback rollback(*session->session);
    const auto generated = Generate(
        *session->session, session->tokenizer, *sampler, *tokens, {.max_tokens = wanted.max_tokens},
        [&](std::string_view text) { return on_text(text.data(), text.size(), user) != 0; }, {},
        never);
    if (!generated) return Fails(BITFETCH_FAILED, generated.error().message);
    // All that was made is part of the text so far.
    const Status room = session->session->CheckRoom(generated->tail.size());
    if (room) BITFETCH_RETURN_IF_NOT_OK(Append(*session, generated->tail));
    rollback.Keep();
    if (!room) return Fails(BITFETCH_CONTEXT_FULL, room.error().message);
    if (generated->reason == StopReason::kInterrupted) {
      return Fails(BITFETCH_STOPPED, "the callback asked to stop");
    }
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_cache_create(const bitfetch_cache_shape* shape, bitfetch_cache** cache) {
  return Guarded([&] {
    BITFETCH_REQUIRE(shape);
    BITFETCH_REQUIRE(cache);
    bitfetch_cache_shape read = {};
    BITFETCH_RETURN_IF_NOT_OK(Allowed(ReadSized("shape", shape, kFirstShape, &read)));
    KvConfig config{.layers = read.layers,
                    .kv_heads = read.kv_heads,
                    .head_dim = read.head_dim,
                    .types = {},
                    .limit = read.limit,
                    .l2_budget_bytes = PrefetchBudget(ReadTopology().l2_bytes)};
    BITFETCH_RETURN_IF_NOT_OK(ReadName("kv_type", read.kv_type, ParseKvTypes, &config.types));
    BITFETCH_RETURN_IF_NOT_OK(ReadName("pages", read.pages, ParsePageSize, &config.pages));
    BITFETCH_RETURN_IF_NOT_OK(Allowed(BlockPool::Check(config)));
    auto created = KvCache::Create(config);
    if (!created) return Fails(BITFETCH_FAILED, created.error().message);
    *cache = new bitfetch_cache{*std::move(created)};
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_cache_fork(const bitfetch_cache* cache, bitfetch_cache** fork) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    BITFETCH_REQUIRE(fork);
    *fork = new bitfetch_cache{cache->cache.Fork()};
    return BITFETCH_OK;
  });
}

void bitfetch_cache_free(bitfetch_cache* cache) { delete cache; }

bitfetch_status bitfetch_cache_append(bitfetch_cache* cache, int layer, int64_t count,
                                      const float* k, const float* v) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    if (count < 0) {
      return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("count: {} is less than 0", count));
    }
    if (count > 0) {
      BITFETCH_REQUIRE(k);
      BITFETCH_REQUIRE(v);
    }
    BITFETCH_RETURN_IF_NOT_OK(Allowed(cache->cache.CheckLayer(layer)));
    return Told(cache->cache.Append(layer, count, k, v));
  });
}

bitfetch_status bitfetch_cache_truncate(bitfetch_cache* cache, int64_t length) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    BITFETCH_RETURN_IF_NOT_OK(CheckLength(length));
    cache->cache.Truncate(length);
    return BITFETCH_OK;
  });
}

int64_t bitfetch_cache_length(const bitfetch_cache* cache) {
  return cache == nullptr ? 0 : cache->cache.length();
}

bitfetch_status bitfetch_cache_prefetch(bitfetch_cache* cache, int layer, int64_t seq_len,
                                        size_t* requested) {
  return Guarded([&] {
    BITFETCH_REQUIRE(cache);
    BITFETCH_RETURN_IF_NOT_OK(Allowed(cache->cache.CheckLayer(layer)));
    const auto bytes = cache->cache.Prefetch(layer, seq_len);
    if (!bytes) return Fails(BITFETCH_FAILED, bytes.error().message);
    if (requested != nullptr) *requested = *bytes;
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_attention_create(int threads, bitfetch_attention** attention) {
  return Guarded([&] {
    BITFETCH_REQUIRE(attention);
    BITFETCH_RETURN_IF_NOT_OK(CheckThreads(threads));
    const Topology topology = ReadTopology();
    const auto kernels = ChooseKernels();
    if (!kernels) return Fails(BITFETCH_FAILED, kernels.error().message);
    auto pool = ThreadPool::Create(threads == 0 ? topology.threads : threads);
    if (!pool) return Fails(BITFETCH_FAILED, pool.error().message);
    LoadedProfile kept = LoadProfile(ProfilePath(), topology, BITFETCH_VERSION);
    *attention =
        new bitfetch_attention(**kernels, *std::move(pool),
                               kept.profile ? *std::move(kept.profile) : DefaultProfile(topology));
    return BITFETCH_OK;
  });
}

void bitfetch_attention_free(bitfetch_attention* attention) { delete attention; }

bitfetch_status bitfetch_attention_run(bitfetch_attention* attention, const bitfetch_cache* cache,
                                       int layer, int group, const float* queries, int64_t tokens,
                                       float* out) {
  return Guarded([&] {
    BITFETCH_REQUIRE(attention);
    BITFETCH_REQUIRE(cache);
    BITFETCH_REQUIRE(queries);
    BITFETCH_REQUIRE(out);
    BITFETCH_RETURN_IF_NOT_OK(Allowed(cache->cache.CheckLayer(layer)));
    const auto view = cache->cache.View(layer);
    if (!view) return Fails(BITFETCH_FAILED, view.error().message);
    if (group < 1 || group > ModelConfig::kMaxHeads || tokens < 1 || tokens > view->length) {
      return Fails(BITFETCH_INVALID_ARGUMENT,
                   fmt::format("attention of {} query heads to a KV head and the last {} of {} "
                               "tokens is not possible",
                               group, tokens, view->length));
    }
    const PrefetchPlan plan = ChoosePrefetch(
        attention->machine,
        AttentionAccess(attention->kernels.isa, view->layout, cache->cache.layer_placement(),
                        cache->cache.pages(), group, attention->pool->threads()));
    // In batches, since what attention keeps grows with its rows.
    const int64_t token_floats = int64_t{view->layout.kv_heads} * group * view->layout.head_dim;
    AttendSlice slice{.kv = *view, .queries = queries, .out = out};
    for (int64_t left = tokens; left > 0; left -= slice.rows) {
      slice.rows = std::min(left, ForwardPass::kMaxRows);
      slice.kv.length = view->length - left + slice.rows;
      attention->attention.Run({&slice, 1}, group, plan);
      slice.queries += slice.rows * token_floats;
      slice.out += slice.rows * token_floats;
    }
    return BITFETCH_OK;
  });
}

}  // extern "C"
