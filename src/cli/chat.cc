// SPDX-License-Identifier: Apache-2.0
#include "text/chat.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "base/utf8.h"
#include "cli/answer_printer.h"
#include "cli/commands.h"
#include "cli/escapes.h"
#include "cli/interrupt.h"
#include "cli/message_reader.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/prompt_text.h"
#include "cli/sampling_options.h"
#include "cli/text_options.h"
#include "cli/timings.h"
#include "engine/generate.h"
#include "engine/read_chat_template.h"
#include "engine/read_tokenizer.h"
#include "text/chat_form.h"
#include "text/thinking.h"

namespace bitfetch {
namespace {

constexpr std::string_view kChatHelp = R"(/clear  forget the conversation (also /reset)
/help   this text
/exit   end (also Ctrl-D)
"""     begins a message of several lines, and ends it; Ctrl-D ends it too, Ctrl-C drops it
Ctrl-C stops an answer. Everything else is said to the model, a line or a paste at a time.
)";

std::string FormNames() {
  std::vector<std::string_view> names;
  for (const ChatForm& form : ChatForms()) names.push_back(form.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<bool> ParseSwitch(std::string_view text) {
  if (text == "on" || text == "off") return text == "on";
  return Fail("'{}' is not known: wanted on or off", Printable(text));
}

std::string_view WithoutBlanksAround(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

struct ChatArguments {
  ModelOptions model;
  SamplingOptions sampling;
  std::string system;
  std::string chat_template;  // a form's name or a file; empty: as the model's file says
  std::optional<bool> think;
  bool hides_thinking = false;
  bool shows_prompt = false;
};

std::vector<jinja::Value> FirstMessages(const ChatArguments& options) {
  if (options.system.empty()) return {};
  return {ChatMessage("system", options.system)};
}

// A conversation on stdin and stdout.
class Conversation {
 public:
  Conversation(MessageReader& reader, Session& session, const Tokenizer& tokenizer,
               const Chat& chat, Sampler sampler, const ChatArguments& options, Timings* timings)
      : reader_(reader),
        session_(session),
        tokenizer_(tokenizer),
        chat_(chat),
        sampler_(std::move(sampler)),
        options_(options),
        timings_(*timings) {
    Begin();
  }

  Result<int> Run() {
    const bool on_terminal = reader_.on_terminal();
    if (on_terminal) Say("/help tells what can be typed.\n");
    MessageReader::Message message;
    bool interrupted_before = false;  // while the last message was waited for
    while (true) {
      BITFETCH_ASSIGN_OR_RETURN(const LineReader::Outcome outcome, reader_.Read(&message));
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
      Begin();
    } else {
      Say(fmt::format("{} is not known: /help tells what is\n", OneLine(command)));
    }
  }

  void Begin() {
    session_.Truncate(0);
    given_ = {};
    messages_ = FirstMessages(options_);
  }

  Status Answer(const std::string& text, bool go_on_when_full) {
    messages_.push_back(ChatMessage("user", text));
    size_t replaced = 0;
    BITFETCH_ASSIGN_OR_RETURN(ChatPrompt prompt, chat_.Prompt(messages_, given_, &replaced));
    WarnOfBrokenUtf8(replaced);
    if (options_.shows_prompt) {
      Say(WithoutControls(PromptText(tokenizer_, prompt.ids)) + "\n");
    }

    // A template may change what came before: Qwen3's drops the thinking of earlier answers. The
    // last token is read again in any case: its logits are wanted.
    const auto different = std::ranges::mismatch(session_.tokens(), prompt.ids).in2;
    const auto common = std::min<int64_t>(different - prompt.ids.begin(),
                                          std::max<int64_t>(std::ssize(prompt.ids) - 1, 0));
    const std::span<const int> more = std::span(prompt.ids).subspan(common);
    if (std::ssize(prompt.ids) > session_.context()) {
      messages_.pop_back();
      const std::string message = fmt::format(
          "the context of {} tokens is full: {} are taken, and this needs {} more; /clear starts "
          "anew",
          session_.context(), common, more.size());
      if (!go_on_when_full) return Fail("{}", message);
      Say(message + "\n");
      return {};
    }

    if (common < session_.length()) session_.Truncate(common);
    AnswerPrinter printer(EndsInThinking(prompt.text.bytes()), options_.hides_thinking);
    Status printed;
    const auto on_text = [&](std::string_view piece) {
      printed = printer.Put(piece);
      return printed.has_value();
    };
    const Result<Generated> answer =
        Generate(session_, tokenizer_, sampler_, more, options_.sampling.generate, on_text,
                 printer.progress().Percent("reading"), Interrupted());
    ForgetInterrupt();
    if (!answer) {
      printer.progress().Clear();
      return tl::unexpected(answer.error());
    }
    BITFETCH_RETURN_IF_ERROR(printed);
    BITFETCH_RETURN_IF_ERROR(printer.Finish());
    if (session_.length() == common) {
      messages_.pop_back();
      Say("stopped before the message was read: it is not part of the conversation\n");
      return {};
    }
    timings_.Add(*answer);
    BITFETCH_RETURN_IF_ERROR(Remember(std::move(prompt), *answer));
    if (const std::string end = UnusualEnd(*answer, session_.context()); !end.empty()) {
      Say(end + "; /clear starts anew\n");
    }
    return {};
  }

  // The answer to a prompt is part of the conversation; how it ends is the template's to write.
  Status Remember(ChatPrompt prompt, const Generated& answer) {
    std::vector<int> ids(session_.tokens().begin() + std::ssize(prompt.ids),
                         session_.tokens().end());
    if (answer.reason != StopReason::kStopToken) {
      ids.insert(ids.end(), answer.tail.begin(), answer.tail.end());
    }
    BITFETCH_ASSIGN_OR_RETURN(const std::string bytes, tokenizer_.Decode(ids));
    const std::string text = ReplaceBrokenUtf8(bytes);
    messages_.push_back(ChatMessage("assistant", text));
    given_ = std::move(prompt);
    given_.text.Append({text, TracedText::Author::kOther});
    given_.ids.insert(given_.ids.end(), ids.begin(), ids.end());
    return {};
  }

  MessageReader& reader_;
  Session& session_;
  const Tokenizer& tokenizer_;
  const Chat& chat_;
  Sampler sampler_;
  const ChatArguments& options_;
  Timings& timings_;
  std::vector<jinja::Value> messages_;
  ChatPrompt given_;  // the conversation so far, with the model's own tokens
};

// The form of that name, or the file.
Result<ChatTemplate> ReadTemplate(const std::string& name, const Tokenizer& tokenizer) {
  if (const ChatForm* form = FindChatForm(name)) {
    BITFETCH_RETURN_IF_ERROR(CheckTokens(*form, tokenizer));
    return ChatTemplate::Parse(name, std::string(form->text));
  }
  TextOptions file;
  file.file = name;
  Result<std::string> text = ReadText(file);
  if (text) return ChatTemplate::Parse(name, *std::move(text));
  return Fail("--template: {} (forms by name are {})", text.error().message, FormNames());
}

// Tried with a message, so that what can't be rendered is said before anything is typed.
Result<Chat> OpenChat(const ChatArguments& options, const GgufReader& file,
                      const Tokenizer& tokenizer) {
  const auto with_hint = [](const Error& error) {
    return Error{fmt::format("{}; --template chatml, say, takes another template", error.message)};
  };
  BITFETCH_ASSIGN_OR_RETURN(ChatTemplate chosen,
                            options.chat_template.empty()
                                ? ReadChatTemplate(file, tokenizer).map_error(with_hint)
                                : ReadTemplate(options.chat_template, tokenizer));
  Chat chat(std::move(chosen), &tokenizer, {.enable_thinking = options.think});
  std::vector<jinja::Value> messages = FirstMessages(options);
  messages.push_back(ChatMessage("user", "Hello"));
  BITFETCH_RETURN_IF_ERROR(chat.Prompt(messages).map_error(with_hint));
  return chat;
}

Result<int> RunChat(const ChatArguments& options) {
  MessageReader messages;  // first, for what is typed while the model is loaded
  BITFETCH_ASSIGN_OR_RETURN(const OpenedSession opened, OpenSession(options.model));
  Session& session = *opened.session;
  const GgufReader& file = session.model().file();
  BITFETCH_ASSIGN_OR_RETURN(const Tokenizer tokenizer,
                            ReadTokenizerFor(file, session.model().config().vocab));
  BITFETCH_ASSIGN_OR_RETURN(const Chat chat, OpenChat(options, file, tokenizer));
  const SamplerOptions sampler_options = SamplerWithSeed(options.sampling);
  BITFETCH_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(sampler_options));
  CatchInterrupts();
  Timings timings(opened.seconds);
  BITFETCH_ASSIGN_OR_RETURN(const int code, Conversation(messages, session, tokenizer, chat,
                                                         std::move(sampler), options, &timings)
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

The chat template in the model's file says how a conversation is written for the model.
--show-prompt writes control tokens by their names, and a backslash before text that only looks like
one. What a model thinks before it answers (<think> ... </think>) is dim where stdout is a terminal.

examples:
  bitfetch chat -m models/tiny.gguf --system "You answer in one sentence."
  echo "Who is he?" | bitfetch chat -m models/tiny.gguf --temp 0)"});
  AddModelOptions(command, &options->model);
  AddCacheOptions(command, &options->model);
  command.AddText("--system", "TEXT",
                  "the system message: what the model is told before the conversation",
                  &options->system);
  command.AddText("--template", "NAME|FILE",
                  fmt::format("how the conversation is written: a form ({}) or a file with a chat "
                              "template in Jinja; usually what the model's file says",
                              FormNames()),
                  &options->chat_template);
  command.AddParsed(
      "--think", "on|off",
      "whether the model is to think before it answers; usually as its template has it",
      &options->think, ParseSwitch);
  command.AddFlag("--hidethinking", "leave out what the model thinks before it answers",
                  &options->hides_thinking);
  command.AddFlag("--show-prompt",
                  "write to stderr, before each answer, all that the model is given",
                  &options->shows_prompt);
  AddSamplingOptions(command, &options->sampling);
  AddEscape(command, "--system and --stop", [options] {
    std::vector<std::string*> texts = {&options->system};
    for (std::string& stop : options->sampling.generate.stops) texts.push_back(&stop);
    return texts;
  });
  command.SetRun([options] { return RunChat(*options); });
}

}  // namespace bitfetch
