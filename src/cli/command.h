// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_COMMAND_H_
#define BITFETCH_CLI_COMMAND_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace bitfetch {

// The program or one of its commands: its options, its help, and what it does. A face of CLI11 that
// makes all commands alike: strict numbers, messages that say what is allowed, exit codes.
class Command {
 public:
  // What the command is asked to do; the exit code, or what went wrong.
  using Run = std::function<Result<int>()>;

  struct Help {
    std::string usage;    // what follows the name: "-m MODEL -p TEXT [options]"
    std::string summary;  // one line
    std::string more;     // after the options: at least an example
  };

  // The program.
  Command(const std::string& name, const Help& help);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // A command of this one. Lives as long.
  Command& Add(const std::string& name, const Help& help);

  // Options: `names` as "-m,--model"; `value` is what the help calls the value. `set` takes the
  // text that was given, or says what would be right.
  class Option {
   public:
    Option& Required();
    Option& Repeatable();
    Option& Hidden();  // from the help

   private:
    friend class Command;
    explicit Option(CLI::Option* option) : option_(option) {}
    CLI::Option* option_;
  };
  Option AddOption(const std::string& names, const std::string& value, const std::string& help,
                   std::function<Status(const std::string&)> set);
  Option AddFlag(const std::string& names, const std::string& help, bool* given);

  // The text as `parse` reads it: Result<T>(std::string_view).
  template <class T, class Parse>
  Option AddParsed(const std::string& names, const std::string& value, const std::string& help,
                   T* to, Parse parse) {
    return AddOption(names, value, help, [to, parse](const std::string& text) -> Status {
      BITFETCH_ASSIGN_OR_RETURN(*to, parse(text));
      return {};
    });
  }
  Option AddText(const std::string& names, const std::string& value, const std::string& help,
                 std::string* to);
  Option AddPath(const std::string& names, const std::string& value, const std::string& help,
                 std::string* to);

  // What the options have to fulfil together: an error is bad usage.
  void Require(std::function<Status()> check) { checks_.push_back(std::move(check)); }

  void SetRun(Run run) { run_ = std::move(run); }

  // Reads the arguments and runs the command that they name. Returns the exit code; whatever is to
  // be said was said.
  int Main(int argc, const char* const* argv);

 private:
  Command(CLI::App* app, const Help& help);
  void SetUp(const Help& help);
  // The deepest command that the first arguments name; those are taken off `arguments`.
  const Command& Chosen(std::span<const std::string>* arguments) const;
  bool TakesModel() const;
  std::string Path() const;  // "bitfetch bench memory"
  int BadUsage(std::string_view what) const;

  std::unique_ptr<CLI::App> owned_;  // of the program
  CLI::App* app_;
  std::string usage_;
  std::vector<std::unique_ptr<Command>> commands_;
  std::vector<std::function<Status()>> checks_;
  Run run_;
  size_t wrong_ = 0;  // which of an option's values its reader refused
};

// Strict readers for AddParsed: the whole text, in a range.

// A decimal whole number.
Result<int64_t> ParseInteger(std::string_view text, int64_t min, int64_t max);
// A finite decimal number.
Result<double> ParseNumber(std::string_view text, double min, double max);
// "1,2,3" as `parse` reads each; not empty.
template <class T, class Parse>
Result<std::vector<T>> ParseList(std::string_view text, Parse parse) {
  std::vector<T> list;
  while (true) {
    const size_t comma = text.find(',');
    BITFETCH_ASSIGN_OR_RETURN(T item, parse(text.substr(0, comma)));
    list.push_back(std::move(item));
    if (comma == std::string_view::npos) return list;
    text.remove_prefix(comma + 1);
  }
}

// ParseInteger for whatever integer the value goes to.
template <class T>
auto Integer(int64_t min, int64_t max = std::numeric_limits<T>::max()) {
  return [min, max](std::string_view text) -> Result<T> {
    BITFETCH_ASSIGN_OR_RETURN(const int64_t value, ParseInteger(text, min, max));
    return static_cast<T>(value);
  };
}

}  // namespace bitfetch

#endif  // BITFETCH_CLI_COMMAND_H_
