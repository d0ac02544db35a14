// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/serve.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/size_text.h"
#include "engine/read_chat_template.h"
#include "engine/read_tokenizer.h"
#include "serve/api_keys.h"
#include "serve/api_server.h"

namespace bitfetch {
namespace {

struct ServeArguments {
  ModelOptions model;
  ApiServerOptions server;
  std::string key_file;
  std::string name;
  int drain_seconds = 30;
};

Result<LogFormat> ParseLogFormat(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return Fail("'{}' is not known: wanted text or json", text);
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1" || host == "[::1]";
}

Result<ServedModel> Describe(const ServeArguments& options, const Engine& engine) {
  const GgufReader& file = engine.model().file();
  const std::filesystem::path path(options.model.path);
  BITFETCH_ASSIGN_OR_RETURN(Tokenizer tokenizer,
                            ReadTokenizerFor(file, engine.model().config().vocab));
  ServedModel model{.id = options.name.empty() ? path.stem().string() : options.name,
                    .tokenizer = std::move(tokenizer),
                    .context = engine.context(),
                    .parallel = options.server.scheduler.parallel,
                    .embeds = engine.model().config().input_norms};
  struct stat status;
  if (stat(path.c_str(), &status) == 0) model.created = status.st_mtime;
  if (model.embeds) return model;
  if (Result<ChatTemplate> chat = ReadChatTemplate(file, model.tokenizer)) {
    model.chat_template = *std::move(chat);
  } else {
    Warn("no conversations, only completions: {}", chat.error().message);
  }
  return model;
}

Result<int> RunServe(ServeArguments options) {
  ApiServerOptions& server_options = options.server;
  if (!options.key_file.empty()) {
    BITFETCH_ASSIGN_OR_RETURN(std::vector<std::string> keys, ReadKeyFile(options.key_file));
    server_options.keys.insert(server_options.keys.end(), keys.begin(), keys.end());
  }
  options.model.session.kv_tokens = EngineOptions::kHalfOfFreeMemory;
  BITFETCH_ASSIGN_OR_RETURN(const OpenedSession opened, OpenSession(options.model));
  Engine& engine = opened.session->engine();
  BITFETCH_ASSIGN_OR_RETURN(ServedModel model, Describe(options, engine));
  CatchInterrupts({SIGINT, SIGTERM});
  BITFETCH_ASSIGN_OR_RETURN(const std::unique_ptr<ApiServer> server,
                            ApiServer::Open(&engine, std::move(model), server_options));
  if (server_options.keys.empty() && !IsLoopback(server_options.http.host)) {
    Warn("{} may be reached from other machines, and without --api-key anyone there may use it",
         server_options.http.host);
  }
  BITFETCH_RETURN_IF_ERROR(Printed(fmt::format("listening on {}\n", server->url())));
  const int signal = WaitForInterrupt();
  server->RefuseNew();
  Say(fmt::format("finishing what was begun, for at most {} s; a second signal ends at once\n",
                  options.drain_seconds));
  if (!server->Drain(std::chrono::seconds(options.drain_seconds))) {
    Warn("what was not finished within {} s is broken off", options.drain_seconds);
  }
  return signal == SIGINT ? kExitInterrupted : kExitOk;
}

}  // namespace

void AddServe(Command& program) {
  const auto options = std::make_shared<ServeArguments>();
  Command& command = program.Add(
      "serve",
      {.usage = "-m MODEL [options]",
       .summary = "answer clients of OpenAI's and Anthropic's interfaces, many at once",
       .more =
           R"(Serves the model over HTTP: /v1/chat/completions, /v1/completions, /v1/models and more, and a page
to chat on at /. Requests are answered side by side; each gets the text that it would get alone, and
what several prompts begin with is computed once. SIGTERM or Ctrl-C: what was begun is finished.
docs/serving.md has all of it.

examples:
  bitfetch serve -m models/tiny.gguf
  bitfetch serve -m models/tiny.gguf --host 0.0.0.0 --api-key "$KEY" --parallel 8 -c 4096
  curl http://127.0.0.1:8080/v1/completions -d '{"prompt": "In the beginning", "max_tokens": 20}')"});
  ApiServerOptions& server = options->server;
  server.http.port = 8080;
  AddModelOptions(command, &options->model);
  command.AddText("--host", "ADDRESS",
                  "where to listen (default: 127.0.0.1, for this machine only)", &server.http.host);
  command.AddParsed("--port", "N", "the port; 0: any that is free (default: 8080)",
                    &server.http.port, Integer<int>(0, 65535));
  command.AddText("--alias", "NAME", "the model's name for clients (default: its file's)",
                  &options->name);
  command.AddParsed(
      "--kv-memory", "SIZE",
      "memory for the KV cache of all requests together, such as 4G (default: half of "
      "the free memory); --ctx says how much of it one of them may take",
      &options->model.session.kv_bytes, ParseSize);
  AddCacheOptions(command, &options->model);
  command.AddParsed("--parallel", "N",
                    "how many texts are written at once; others wait (default: 32)",
                    &server.scheduler.parallel, Integer<int>(1, ForwardPass::kMaxRows));
  command.AddParsed("--queue", "N",
                    "how many may wait; more get 429, try again later (default: 512)",
                    &server.scheduler.queue, Integer<int64_t>(0));
  command.AddParsed("--prefill-step", "N",
                    "how many tokens of prompts are read at a time while others are answered: "
                    "fewer keep answers even, more begin the next sooner (default: 16)",
                    &server.scheduler.prefill_step, Integer<int64_t>(1, ForwardPass::kMaxRows));
  command.AddParsed(
      "--draft", "HOW",
      "how many tokens of an answer are guessed ahead from what it repeats, where few answers "
      "leave "
      "a pass room: auto (as many as pay; default), off, or so many each time. It changes speed, "
      "never the text",
      &server.draft, ParseDraft);
  command
      .AddOption("--api-key", "KEY",
                 "a key that requests must have (Authorization: Bearer KEY); may be repeated",
                 [&server](const std::string& key) -> Status {
                   server.keys.push_back(key);
                   return {};
                 })
      .Repeatable();
  command.AddPath("--api-key-file", "FILE", "such keys, one a line", &options->key_file);
  command.AddPath("--tls-cert", "FILE", "serve HTTPS with this certificate (PEM)",
                  &server.http.tls_cert);
  command.AddPath("--tls-key", "FILE", "the certificate's key (PEM)", &server.http.tls_key);
  command.AddText("--cors-origin", "ORIGIN",
                  "an origin whose pages may send requests, or * for all (default: none)",
                  &server.cors_origin);
  command.AddOption("--ping", "SECONDS",
                    "how often a stream that waits says that it is alive; 0: never (default: 15)",
                    [&server](const std::string& text) -> Status {
                      BITFETCH_ASSIGN_OR_RETURN(const double seconds, ParseNumber(text, 0, 86400));
                      server.ping_interval =
                          std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
                      return {};
                    });
  command.AddParsed("--drain", "SECONDS",
                    "how long after SIGTERM what was begun may take (default: 30)",
                    &options->drain_seconds, Integer<int>(0, 86400));
  command.AddParsed("--log", "FORMAT",
                    "one line for each request on stderr: text (default) or json", &server.log,
                    ParseLogFormat);
  command.Require([options]() -> Status {
    const http::Options& http = options->server.http;
    if (http.tls_cert.empty() == http.tls_key.empty()) return {};
    return Fail("--tls-cert and --tls-key go together");
  });
  command.SetRun([options] { return RunServe(*options); });
}

}  // namespace bitfetch
