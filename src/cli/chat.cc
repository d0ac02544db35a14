// SPDX-License-Identifier: Apache-2.0
#include "text/chat.h"

#include <memory>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/escapes.h"
#include "cli/interrupt.h"
#include "cli/message_reader.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/sampling_options.h"
#include "cli/text_options.h"
#include "cli/timings.h"
#include "engine/generate.h"
#include "engine/read_tokenizer.h"

namespace bitfetch {
namespace {

constexpr std::string_view kChatHelp = R"(/clear  forget the conversation (also /reset)
/help   this text
/exit   end (also Ctrl-D)
"""     begins a message of several lines, and ends it; Ctrl-D ends it too, Ctrl-C drops it
Ctrl-C stops an answer. Everything else is said to the model, a line or a paste at a time.
)";

std::string_view WithoutBlanksAround(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

struct ChatArguments {
  ModelOptions model;
  SamplingOptions sampling;
  std::string system;
};

// A conversation on stdin and stdout.
class Conversation {
 public:
  Conversation(MessageReader& messages, Session& session, const Tokenizer& tokenizer,
               const Chat& chat, Sampler sampler, const GenerateOptions& options, Timings* timings)
      : messages_(messages),
        session_(session),
        tokenizer_(tokenizer),
        chat_(chat),
        sampler_(std::move(sampler)),
        options_(options),
        timings_(*timings) {}

  Result<int> Run() {
    const bool on_terminal = messages_.on_terminal();
    if (on_terminal) Say("/help tells what can be typed.\n");
    MessageReader::Message message;
    bool interrupted_before = false;  // while the last message was waited for
    while (true) {
      BITFETCH_ASSIGN_OR_RETURN(const LineReader::Outcome outcome, messages_.Read(&message));
      if (outcome == LineReader::Outcome::kEnd) {
        if (on_terminal) Say("\n");
        return kExitOk;
      }
      if (outcome == LineReader::Outcome::kInterrupted) {
        // It may have been meant for an answer that had just ended.
        if (interrupted_before) return kExitInterrupted;
        interrupted_before = true;
        ForgetInterrupt();
        Say(fmt::format("\n{}Ctrl-C once more ends the chat.\n",
                        message.quoted ? "The lines of this message are dropped. " : ""));
        continue;
      }
      interrupted_before = false;
      const std::string& text = message.text;
      const std::string_view word = WithoutBlanksAround(text);
      if (!message.quoted && word.starts_with('/') &&
          word.find_first_of(" \t\n") == std::string_view::npos) {
        if (word == "/exit") return kExitOk;
        Obey(word);
      } else if (text.find_first_not_of(" \t\n") != std::string::npos) {
        BITFETCH_RETURN_IF_ERROR(Answer(text, on_terminal));
      }
    }
  }

 private:
  void Obey(std::string_view command) {
    if (command == "/help") {
      Say(kChatHelp);
    } else if (command == "/clear" || command == "/reset") {
      session_.Truncate(0);
      tail_.clear();
    } else {
      Say(fmt::format("{} is not known: /help tells what is\n", OneLine(command)));
    }
  }

  Status Answer(const std::string& text, bool go_on_when_full) {
    std::vector<int> history = session_.tokens();
    history.insert(history.end(), tail_.begin(), tail_.end());
    size_t replaced = 0;
    BITFETCH_ASSIGN_OR_RETURN(const std::vector<int> turn, chat_.Turn(history, text, &replaced));
    WarnOfBrokenUtf8(replaced);
    std::vector<int> prompt = tail_;
    prompt.insert(prompt.end(), turn.begin(), turn.end());
    if (!session_.CheckRoom(prompt.size())) {
      const std::string message = fmt::format(
          "the context of {} tokens is full: {} are taken, and this needs {} more; /clear starts "
          "anew",
          session_.context(), session_.length(), prompt.size());
      if (!go_on_when_full) return Fail("{}", message);
      Say(message + "\n");
      return {};
    }

    const int64_t before = session_.length();
    ProgressLine progress;
    Status printed;
    const auto on_text = [&](std::string_view piece) {
      progress.Clear();
      printed = PrintModelText(piece);
      return printed.has_value();
    };
    const Result<Generated> answer = Generate(session_, tokenizer_, sampler_, prompt, options_,
                                              on_text, progress.Percent("reading"), Interrupted());
    ForgetInterrupt();
    progress.Clear();
    if (!answer) return tl::unexpected(answer.error());
    BITFETCH_RETURN_IF_ERROR(printed);
    BITFETCH_RETURN_IF_ERROR(Print("\n"));
    if (session_.length() == before) {
      Say("stopped before the message was read: it is not part of the conversation\n");
      return {};
    }
    timings_.Add(*answer);
    tail_ = answer->tail;
    if (const std::string end = UnusualEnd(*answer, session_.context()); !end.empty()) {
      Say(end + "; /clear starts anew\n");
    }
    return {};
  }

  MessageReader& messages_;
  Session& session_;
  const Tokenizer& tokenizer_;
  const Chat& chat_;
  Sampler sampler_;
  const GenerateOptions& options_;
  Timings& timings_;
  std::vector<int> tail_;  // of the last answer, what is not in the session yet
};

Result<int> RunChat(const ChatArguments& options) {
  MessageReader messages;  // first, for what is typed while the model is loaded
  BITFETCH_ASSIGN_OR_RETURN(const OpenedSession opened, OpenSession(options.model));
  Session& session = *opened.session;
  const GgufReader& file = session.model().file();
  BITFETCH_ASSIGN_OR_RETURN(const Tokenizer tokenizer,
                            ReadTokenizerFor(file, session.model().config().vocab));
  BITFETCH_ASSIGN_OR_RETURN(const auto architecture,
                            file.Get<std::string_view>("general.architecture"));
  const auto about_file = [&](const Error& error) {
    return Error{fmt::format("{}: {}", file.path(), error.message)};
  };
  BITFETCH_ASSIGN_OR_RETURN(const ChatForm form,
                            ChatFormFor(architecture, tokenizer).map_error(about_file));
  BITFETCH_ASSIGN_OR_RETURN(const Chat chat,
                            Chat::Create(form, &tokenizer, options.system).map_error(about_file));
  const SamplerOptions sampler_options = SamplerWithSeed(options.sampling);
  BITFETCH_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(sampler_options));
  CatchInterrupts();
  Timings timings(opened.seconds);
  BITFETCH_ASSIGN_OR_RETURN(const int code,
                            Conversation(messages, session, tokenizer, chat, std::move(sampler),
                                         options.sampling.generate, &timings)
                                .Run());
  if (!timings.empty()) Say(timings.Line(sampler_options));
  return code;
}

}  // namespace

void AddChat(Command& program) {
  const auto options = std::make_shared<ChatArguments>();
  Command& command = program.Add(
      "chat",
      {.usage = "-m MODEL [options]",
       .summary = "hold a conversation with a model",
       .more =
           R"(Reads a line at a time from stdin and writes answers to stdout. """ begins a message of several
lines, and """ at the end of a line, or Ctrl-D, ends it. Words that begin with / are commands: /help
lists them. Ctrl-C stops an answer and drops a message that was begun, Ctrl-D at the beginning of a
message ends the chat. On a terminal lines can be edited, a paste of several lines is one message,
and the arrow keys bring back what was said before: $XDG_STATE_HOME/bitfetch/history keeps it (else
~/.local/state/bitfetch/history).
llama.cpp's spellings of the options work too: `bitfetch generate --help` says which.

examples:
  bitfetch chat -m models/tiny.gguf --system "You answer in one sentence."
  echo "Who is he?" | bitfetch chat -m models/tiny.gguf --temp 0)"});
  AddModelOptions(command, &options->model);
  command.AddText("--system", "TEXT",
                  "the system message: what the model is told before the conversation",
                  &options->system);
  AddSamplingOptions(command, &options->sampling);
  AddEscape(command, "--system and --stop", [options] {
    std::vector<std::string*> texts = {&options->system};
    for (std::string& stop : options->sampling.generate.stops) texts.push_back(&stop);
    return texts;
  });
  command.SetRun([options] { return RunChat(*options); });
}

}  // namespace bitfetch
