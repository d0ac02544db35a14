// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <system_error>
#include <utility>

#include "base/printable.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace bitfetch {
namespace {

// CLI11's help, with our line of usage.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(32); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return fmt::format("\nusage: {}\n", usage_);
  }

 private:
  std::string usage_;
};

// What CLI11 found wrong, in our words where its own say little.
std::string Wording(const CLI::ParseError& error) {
  std::string message = error.what();
  if (!dynamic_cast<const CLI::ArgumentMismatch*>(&error)) return message;
  if (message.ends_with(" flag override")) {
    return fmt::format("--{}: takes no value", message.substr(0, message.find(' ')));
  }
  return fmt::format("{}: {}", message.substr(0, message.find(':')),
                     message.ends_with(" missing") ? "its value is missing" : "given twice");
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

Command::Option Command::AddOption(const std::string& names, const std::string& value,
                                   const std::string& help,
                                   std::function<Status(const std::string&)> set) {
  CLI::Option* option = app_->add_option(
      names, [](const CLI::results_t&) { return true; }, help);
  option->type_size(1)->expected(1)->option_text(value);
  option->check(
      [set = std::move(set)](const std::string& text) {
        const Status status = set(text);
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
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Finish(Printed(app_->help()));
  } catch (const CLI::CallForVersion& version) {
    return Finish(Printed(fmt::format("{}\n", version.what())));
  } catch (const CLI::ExtrasError&) {
    const std::string first = Printable(app_->remaining(true).front());
    const Command& chosen = Chosen();
    const std::string_view what = first.starts_with('-') ? "there is no option '{}'"
                                  : chosen.run_          ? "'{}' is not expected here"
                                                         : "there is no command '{}'";
    return chosen.BadUsage(fmt::format(fmt::runtime(what), first));
  } catch (const CLI::ParseError& error) {
    return Chosen().BadUsage(Wording(error));
  }

  const Command& command = Chosen();
  if (!command.run_) return command.BadUsage("a command is missing");
  for (const auto& check : command.checks_) {
    if (const Status status = check(); !status) return command.BadUsage(status.error().message);
  }
  return Finish(command.run_());
}

const Command& Command::Chosen() const {
  for (const auto& command : commands_) {
    if (command->app_->parsed()) return command->Chosen();
  }
  return *this;
}

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
