// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_MODEL_OPTIONS_H_
#define BITFETCH_CLI_MODEL_OPTIONS_H_

#include <memory>
#include <string>

#include "cli/command.h"
#include "engine/session.h"

namespace bitfetch {

// -m alone.
void AddModelPath(Command& command, std::string* path);

struct ModelOptions {
  std::string path;
  EngineOptions session;  // but for mmap
  bool no_mmap = false;
};

// -m, and what every command takes that runs a model. `context_default` is what the help says of
// --ctx.
void AddModelOptions(Command& command, ModelOptions* options,
                     const std::string& context_default = "0");

// --cache-dir, --cache-disk and --kv-store, for commands whose prompts others may begin with too.
void AddCacheOptions(Command& command, ModelOptions* options);

// "auto" (or "law", which is the same) or "off".
Result<bool> ParsePrefetchAhead(std::string_view text);

struct OpenedSession {
  std::unique_ptr<Session> session;
  double seconds;  // that it took
};

// Shows progress. Warns of a context that is longer than what the model was made for, or shorter
// for want of memory. Errors: those of Session::Open.
Result<OpenedSession> OpenSession(const ModelOptions& options);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_MODEL_OPTIONS_H_
