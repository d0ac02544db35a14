// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/printable.h"
#include "cli/interrupt.h"
#include "cli/llama_spellings.h"
#include "cli/output.h"

namespace bitfetch {
namespace {

// The text in lines of at most `width`, broken at spaces.
std::string Wrapped(std::string text, size_t width) {
  for (size_t line = 0; text.size() - line > width;) {
    const size_t space = text.rfind(' ', line + width);
    if (space == std::string::npos || space <= line) break;
    text[space] = '\n';
    line = space + 1;
  }
  return text;
}

// CLI11's help, with our line of usage, and no line longer than 100 characters.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(kColumn); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return fmt::format("\nusage: {}\n", usage_);
  }
  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream text;
    CLI::detail::format_help(text, command->get_name(),
                             Wrapped(command->get_description(), 100 - kColumn), kColumn);
    return text.str();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return Wrapped(option->get_description(), 100 - kColumn);
  }

 private:
  static constexpr size_t kColumn = 28;

  std::string usage_;
};

constexpr std::string_view kGivenTwice = ": given twice";

// What CLI11 found wrong, in our words where its own say little.
std::string Wording(const CLI::ParseError& error) {
  std::string message = error.what();
  if (!dynamic_cast<const CLI::ArgumentMismatch*>(&error)) return message;
  if (message.ends_with(" flag override")) {
    return fmt::format("--{}: takes no value", message.substr(0, message.find(' ')));
  }
  return fmt::format("{}{}", message.substr(0, message.find(':')),
                     message.ends_with(" missing") ? ": its value is missing" : kGivenTwice);
}

// A message that begins with the name of an option, and a colon: with the name as it was typed, of
// the option's values the one at `value`.
std::string AsTyped(const std::string& message, const CLI::App& app,
                    const std::vector<TypedOption>& options, size_t value) {
  const size_t colon = std::min(message.find(':'), message.size());
  const CLI::Option* option = app.get_option_no_throw(message.substr(0, colon));
  std::vector<std::string> typed;
  for (const TypedOption& each : options) {
    if (app.get_option_no_throw(each.ours) == option) typed.push_back(each.typed);
  }
  if (option == nullptr || typed.empty()) return message;
  if (message.ends_with(kGivenTwice) && typed.size() > 1 && typed[0] != typed[1]) {
    return fmt::format("{} and {} are the same option{}", typed[0], typed[1], kGivenTwice);
  }
  return typed[std::min(value, typed.size() - 1)] + message.substr(colon);
}

// The exit code of a command that has run; says what went wrong.
int Finish(const Result<int>& code) {
  if (NobodyReads()) return kExitOk;
  if (code) return *code;
  if (Interrupted()) return kExitInterrupted;
  SayError(code.error().message);
  return kExitError;
}

}  // namespace

Command::Command(const std::string& name, const Help& help)
    : owned_(std::make_unique<CLI::App>(help.summary, name)), app_(owned_.get()) {
  SetUp(help);
  app_->set_version_flag("--version", fmt::format("{} {}", name, BITFETCH_VERSION),
                         "the version, and nothing else");
}

Command::Command(CLI::App* app, const Help& help) : app_(app) { SetUp(help); }

Command::~Command() = default;

void Command::SetUp(const Help& help) {
  usage_ = help.usage.empty() ? Path() : fmt::format("{} {}", Path(), help.usage);
  app_->formatter(std::make_shared<HelpFormatter>(usage_));
  app_->set_help_flag("-h,--help", "this text")->disable_flag_override();
  app_->footer(help.more);
  app_->require_subcommand(0, 1);
}

Command& Command::Add(const std::string& name, const Help& help) {
  CLI::App* app = app_->add_subcommand(name, help.summary)->group("Commands");
  return *commands_.emplace_back(new Command(app, help));
}

Command::Option& Command::Option::Required() {
  option_->required();
  return *this;
}

Command::Option& Command::Option::Repeatable() {
  option_->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

Command::Option& Command::Option::Hidden() {
  option_->group("");
  return *this;
}

Command::Option Command::AddOption(const std::string& names, const std::string& value,
                                   const std::string& help,
                                   std::function<Status(const std::string&)> set) {
  CLI::Option* option = app_->add_option(
      names, [](const CLI::results_t&) { return true; }, help);
  option->type_size(1)->expected(1)->option_text(value);
  option->check(
      [this, set = std::move(set), value = size_t{0}](const std::string& text) mutable {
        const Status status = set(text);
        if (!status) wrong_ = value;
        ++value;
        return status ? std::string() : status.error().message;
      },
      "");
  return Option(option);
}

Command::Option Command::AddFlag(const std::string& names, const std::string& help, bool* given) {
  return Option(app_->add_flag(names, *given, help)->disable_flag_override());
}

Command::Option Command::AddText(const std::string& names, const std::string& value,
                                 const std::string& help, std::string* to) {
  return AddOption(names, value, help, [to](const std::string& text) -> Status {
    *to = text;
    return {};
  });
}

Command::Option Command::AddPath(const std::string& names, const std::string& value,
                                 const std::string& help, std::string* to) {
  return AddOption(names, value, help, [to](const std::string& text) -> Status {
    if (text.empty()) return Fail("an empty path names nothing");
    *to = text;
    return {};
  });
}

int Command::Main(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  std::span<const std::string> own = arguments;
  const Command& command = Chosen(&own);
  const auto kind_of = [&](std::string_view name) {
    const CLI::Option* option = command.app_->get_option_no_throw(std::string(name));
    return option == nullptr                 ? OptionKind::kUnknown
           : option->get_expected_max() == 0 ? OptionKind::kFlag
                                             : OptionKind::kWithValue;
  };
  auto translated = TranslateLlamaSpellings(own, command.TakesModel(), kind_of);
  if (!translated) return command.BadUsage(translated.error().message);
  const auto as_typed = [&](const std::string& message, size_t value) {
    return AsTyped(message, *command.app_, translated->options, value);
  };
  arguments.resize(arguments.size() - own.size());
  arguments.insert(arguments.end(), translated->arguments.begin(), translated->arguments.end());
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them

  const auto unexpected = [&](const std::vector<std::string>& remaining) {
    const std::string first = Printable(remaining.front());
    const std::string_view what = first.starts_with('-') ? "there is no option '{}'"
                                  : command.run_         ? "'{}' is not expected here"
                                                         : "there is no command '{}'";
    return command.BadUsage(fmt::format(fmt::runtime(what), first));
  };
  try {
    app_->parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    const std::vector<std::string> remaining = app_->remaining(true);
    if (!command.run_ && !remaining.empty()) return unexpected(remaining);
    return Finish(Printed(app_->help()));
  } catch (const CLI::CallForVersion& version) {
    return Finish(Printed(fmt::format("{}\n", version.what())));
  } catch (const CLI::ExtrasError&) {
    return unexpected(app_->remaining(true));
  } catch (const CLI::ParseError& error) {
    return command.BadUsage(as_typed(Wording(error), command.wrong_));
  }

  if (!command.run_) return command.BadUsage("a command is missing");
  for (const auto& check : command.checks_) {
    if (const Status status = check(); !status) {
      return command.BadUsage(as_typed(status.error().message, 0));
    }
  }
  if (!translated->ignored.empty()) {
    Warn("llama.cpp's options that have no meaning here are ignored: {}",
         fmt::join(translated->ignored, ", "));
  }
  return Finish(command.run_());
}

const Command& Command::Chosen(std::span<const std::string>* arguments) const {
  for (const auto& command : commands_) {
    if (arguments->empty() || command->app_->get_name() != arguments->front()) continue;
    *arguments = arguments->subspan(1);
    return command->Chosen(arguments);
  }
  return *this;
}

bool Command::TakesModel() const { return app_->get_option_no_throw("--model") != nullptr; }

std::string Command::Path() const {
  std::string path = app_->get_name();
  for (const CLI::App* app = app_->get_parent(); app != nullptr; app = app->get_parent()) {
    path = fmt::format("{} {}", app->get_name(), path);
  }
  return path;
}

int Command::BadUsage(std::string_view what) const {
  SayError(what);
  Say(fmt::format("usage: {} ({} --help tells more)\n", usage_, Path()));
  return kExitUsage;
}

Result<int64_t> ParseInteger(std::string_view text, int64_t min, int64_t max) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    return Fail("'{}' is not a whole number", Printable(text));
  }
  if (error == std::errc::result_out_of_range || value < min || value > max) {
    return Fail("{} is out of range: wanted {} to {}", Printable(text), min, max);
  }
  return value;
}

Result<double> ParseNumber(std::string_view text, double min, double max) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size() ||
      std::isnan(value)) {
    return Fail("'{}' is not a number", Printable(text));
  }
  if (error == std::errc::result_out_of_range || value < min || value > max) {
    return Fail("{} is out of range: wanted {} to {}", Printable(text), min, max);
  }
  return value;
}

}  // namespace bitfetch
