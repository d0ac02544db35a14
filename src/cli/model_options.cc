// SPDX-License-Identifier: Apache-2.0
#include "cli/model_options.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/thread_pool.h"
#include "cli/progress_line.h"
#include "cli/size_text.h"
#include "machine/clock.h"

namespace bitfetch {
namespace {

// Whether it fits into memory is for the session to say; this only keeps it a number of tokens.
constexpr int64_t kMaxContext = int64_t{1} << 50;

}  // namespace

Result<bool> ParsePrefetchAhead(std::string_view text) {
  if (text == "auto" || text == "law") return true;
  if (text == "off") return false;
  return Fail("'{}' is not known: wanted auto or off", text);
}

void AddModelPath(Command& command, std::string* path) {
  command.AddPath("-m,--model", "MODEL", "the model: a GGUF file", path).Required();
}

void AddModelOptions(Command& command, ModelOptions* options, const std::string& context_default) {
  EngineOptions& session = options->session;
  AddModelPath(command, &options->path);
  command.AddParsed(
      "-t,--threads", "N",
      "how many threads compute (default: as many as CPU affinity and cgroup allow this process)",
      &session.threads, Integer<int>(1, ThreadPool::kMaxThreads));
  command.AddOption(
      "-c,--ctx", "N",
      fmt::format(
          "how many tokens the context holds; 0: as many as the model was made for, or what "
          "half of the free memory holds if that is less (default: {})",
          context_default),
      [&session](const std::string& text) -> Status {
        BITFETCH_ASSIGN_OR_RETURN(session.context, ParseInteger(text, 0, kMaxContext));
        session.max_default_context = EngineOptions().max_default_context;
        return {};
      });
  command.AddParsed("--kv-type", "TYPE",
                    "how the KV cache stores keys and values: f32, f16 (default), bf16, q8_0 or "
                    "q4_0; or one type for each, as in q8_0:q4_0",
                    &session.kv_types, ParseKvTypes);
  command.AddParsed("--cache-type-k", "TYPE", "the type of keys alone (-ctk in llama.cpp)",
                    &session.kv_types.k, ParseKvType);
  command.AddParsed("--cache-type-v", "TYPE", "the type of values alone (-ctv in llama.cpp)",
                    &session.kv_types.v, ParseKvType);
  command.AddParsed("--pages", "SIZE",
                    "size of the OS pages under the KV cache: huge (2 MiB where the system gives "
                    "them; default) or 4k",
                    &session.pages, ParsePageSize);
  command.AddParsed("--prefetch", "HOW",
                    "how far ahead attention prefetches the KV cache: auto (what suits this "
                    "machine; default), off, or so many bytes. It changes speed, never the result",
                    &session.prefetch, ParsePrefetchSetting);
  command.AddParsed("--prefetch-ahead", "HOW",
                    "whether prefetching begins while the layer's queries, keys and values are "
                    "computed: auto (default) or off",
                    &session.prefetch_ahead, ParsePrefetchAhead);
  command.AddFlag("--no-mmap",
                  "read the whole file into memory first, instead of mapping it and reading what "
                  "is needed",
                  &options->no_mmap);
}

void AddCacheOptions(Command& command, ModelOptions* options) {
  EngineOptions& session = options->session;
  command.AddPath("--cache-dir", "DIR",
                  "a folder that keeps the KV cache of prompts and answers between runs, so that a "
                  "text that begins like one before is not computed again (default: none). Its "
                  "files tell the texts: it is readable for its user alone",
                  &session.store.cache_dir);
  command.AddParsed("--cache-disk", "SIZE",
                    "how much that folder may hold, as in 4G; what was wanted longest ago goes "
                    "(default: 16 GB, but at most half of what is free)",
                    &session.store.cache_disk_bytes, [](std::string_view text) -> Result<int64_t> {
                      BITFETCH_ASSIGN_OR_RETURN(const double bytes, ParseSize(text));
                      if (bytes < 1) return Fail("'{}' is no room for anything", text);
                      return static_cast<int64_t>(bytes);
                    });
  command.AddParsed("--kv-store", "URL",
                    "a Redis that keeps the KV cache for all who use it, other machines too, as in "
                    "redis://user:password@host:6379/0?ttl=3600 (seconds; default: a week), or "
                    "several with commas between (default: none). What is there tells the texts",
                    &session.store.kv_store, ParseRedisAddresses);
}

Result<OpenedSession> OpenSession(const ModelOptions& options) {
  const double start = NowNs();
  EngineOptions session_options = options.session;
  session_options.mmap = !options.no_mmap;
  ProgressLine line;
  BITFETCH_ASSIGN_OR_RETURN(
      std::unique_ptr<Session> session,
      Session::Open(options.path, session_options, line.Percent("loading the model")));
  const int64_t context = session->context();
  const int64_t made_for = session->model().config().context;
  if (context > made_for) {
    Warn("{}: the model was made for a context of {} tokens, not {}: what it writes may get worse",
         options.path, made_for, context);
  }
  if (options.session.context == 0 &&
      context < std::min(made_for, session_options.max_default_context)) {
    Warn(
        "{}: the context is {} tokens, whose KV cache takes half of the free memory; the model was "
        "made for {}: --ctx sets another, and a smaller --kv-type makes room for more",
        options.path, context, made_for);
  }
  return OpenedSession{std::move(session), (NowNs() - start) * 1e-9};
}

}  // namespace bitfetch
