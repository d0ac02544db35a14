// SPDX-License-Identifier: Apache-2.0
#include "cli/model_options.h"

#include <utility>

#include "base/log.h"
#include "base/thread_pool.h"
#include "cli/progress_line.h"
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
  command.AddPath("-m,--model", "MODEL", "the model, a GGUF file", path).Required();
}

void AddModelOptions(Command& command, ModelOptions* options, const std::string& context_default) {
  SessionOptions& session = options->session;
  AddModelPath(command, &options->path);
  command.AddParsed("-t,--threads", "N", "threads (default: what affinity and cgroup allow)",
                    &session.threads, Integer<int>(1, ThreadPool::kMaxThreads));
  command.AddParsed("-c,--ctx", "N",
                    fmt::format("tokens that the context holds (default: {})", context_default),
                    &session.context, Integer<int64_t>(1, kMaxContext));
  command.AddParsed(
      "--kv-type", "TYPE",
      "how keys and values are kept: f32, f16 (default), bf16, q8_0 or q4_0, or K:V as q8_0:q4_0",
      &session.kv_types, ParseKvTypes);
  command.AddParsed("--pages", "SIZE", "OS pages under the KV cache: huge (default) or 4k",
                    &session.pages, ParsePageSize);
  command.AddParsed("--prefetch", "HOW",
                    "inside attention: law (default), off, or so many bytes ahead",
                    &session.prefetch, ParsePrefetchSetting);
  command.AddParsed("--prefetch-ahead", "HOW", "before attention: law (default) or off",
                    &session.prefetch_ahead, ParsePrefetchAhead);
  command.AddFlag("--no-mmap", "read the whole file into memory first", &options->no_mmap);
}

Result<OpenedSession> OpenSession(const ModelOptions& options) {
  const double start = NowNs();
  SessionOptions session_options = options.session;
  session_options.mmap = !options.no_mmap;
  ProgressLine line;
  BITFETCH_ASSIGN_OR_RETURN(
      std::unique_ptr<Session> session,
      Session::Open(options.path, session_options, line.Percent("loading the model")));
  const int64_t made_for = session->model().config().context;
  if (session->context() > made_for) {
    Warn("{}: the model was made for a context of {} tokens, not {}: what it writes may get worse",
         options.path, made_for, session->context());
  }
  return OpenedSession{std::move(session), (NowNs() - start) * 1e-9};
}

}  // namespace bitfetch
