// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_API_MODEL_OPTIONS_H_
#define BITFETCH_API_MODEL_OPTIONS_H_

#include <cstddef>
#include <memory>

#include "api/guarded.h"
#include "api/handles.h"
#include "api/sized_struct.h"
#include "engine/engine.h"
#include "engine/read_tokenizer.h"

// How a model is opened, for itself or for one session: Options is a bitfetch_model_options or a
// bitfetch_session_options.
namespace bitfetch {

template <class Options>
constexpr Options DefaultOptions() {
  Options options = {};
  options.struct_size = sizeof(options);
  options.kv_type = "f16";
  options.pages = "huge";
  options.prefetch = "auto";
  options.prefetch_ahead = 1;
  options.mmap = 1;
  return options;
}

// `mmap` is the last member of the first versions of both.
template <class Options>
bitfetch_status InitOptions(Options* options, size_t struct_size) {
  return Guarded([&] {
    BITFETCH_REQUIRE(options);
    constexpr Options kDefaults = DefaultOptions<Options>();
    return Allowed(WriteSized("options", kDefaults, BITFETCH_FIRST_VERSION(Options, mmap), options,
                              struct_size));
  });
}

// The caller's `given`, or the defaults.
template <class Options>
bitfetch_status ReadOptions(const Options* given, Options* read, EngineOptions* to) {
  *read = DefaultOptions<Options>();
  if (given != nullptr) {
    BITFETCH_RETURN_IF_NOT_OK(
        Allowed(ReadSized("options", given, BITFETCH_FIRST_VERSION(Options, mmap), read)));
  }
  BITFETCH_RETURN_IF_NOT_OK(CheckThreads(read->threads));
  BITFETCH_RETURN_IF_NOT_OK(CheckNotNegative("context", read->context));
  to->threads = read->threads;
  to->context = read->context;
  BITFETCH_RETURN_IF_NOT_OK(ReadName("kv_type", read->kv_type, ParseKvTypes, &to->kv_types));
  BITFETCH_RETURN_IF_NOT_OK(ReadName("pages", read->pages, ParsePageSize, &to->pages));
  BITFETCH_RETURN_IF_NOT_OK(
      ReadName("prefetch", read->prefetch, ParsePrefetchSetting, &to->prefetch));
  to->prefetch_ahead = read->prefetch_ahead != 0;
  to->mmap = read->mmap != 0;
  if (read->cache_dir != nullptr) to->store.cache_dir = read->cache_dir;
  BITFETCH_RETURN_IF_NOT_OK(CheckNotNegative("cache_disk", read->cache_disk));
  to->store.cache_disk_bytes = read->cache_disk;
  BITFETCH_RETURN_IF_NOT_OK(
      ReadName("kv_store", read->kv_store, ParseRedisAddresses, &to->store.kv_store));
  return BITFETCH_OK;
}

inline bitfetch_status OpenModel(const char* path, const EngineOptions& options,
                                 std::shared_ptr<OpenedModel>* opened) {
  auto engine = Engine::Open(path, options);
  if (!engine) return Fails(BITFETCH_FAILED, engine.error().message);
  const Model& model = (*engine)->model();
  auto tokenizer = ReadTokenizerFor(model.file(), model.config().vocab);
  if (!tokenizer) return Fails(BITFETCH_FAILED, tokenizer.error().message);
  *opened = std::make_shared<OpenedModel>(*std::move(engine), *std::move(tokenizer));
  return BITFETCH_OK;
}

}  // namespace bitfetch

#endif  // BITFETCH_API_MODEL_OPTIONS_H_
