// SPDX-License-Identifier: Apache-2.0
#include "cli/llama_spellings.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/printable.h"

namespace bitfetch {
namespace {

struct Renamed {
  std::string_view theirs, ours;
};

constexpr Renamed kRenamed[] = {
    {"--predict", "--tokens"},
    {"--n-predict", "--tokens"},
    {"--ctx-size", "--ctx"},
    {"--temperature", "--temp"},
    {"-s", "--seed"},
    {"-r", "--stop"},
    {"--reverse-prompt", "--stop"},
    {"-sys", "--system"},
    {"--system-prompt", "--system"},
    {"--chat-template", "--template"},
    {"--chat-template-file", "--template"},
    {"-ctk", "--cache-type-k"},
    {"-ctv", "--cache-type-v"},
};

enum class Takes { kNothing, kValue, kSwitch };  // kSwitch: on, off, auto, 1, 0, or nothing

struct Meaningless {
  std::string_view name;
  Takes takes = Takes::kNothing;
  std::optional<std::string_view> silent = {};  // the value that asks for what is so anyway
};

// Only options that say how to compute, load or show, and what to do where bitfetch stops. One that
// would change the text before that is no place for a warning: it stays unknown.
constexpr Meaningless kMeaningless[] = {
    {"-ngl", Takes::kValue, "0"},
    {"--gpu-layers", Takes::kValue, "0"},
    {"--n-gpu-layers", Takes::kValue, "0"},
    {"-sm", Takes::kValue},
    {"--split-mode", Takes::kValue},
    {"-ts", Takes::kValue},
    {"--tensor-split", Takes::kValue},
    {"-mg", Takes::kValue},
    {"--main-gpu", Takes::kValue},
    {"-dev", Takes::kValue},
    {"--device", Takes::kValue},
    {"-fit", Takes::kSwitch},
    {"--fit", Takes::kSwitch},
    {"-kvo"},
    {"--kv-offload"},
    {"-nkvo"},
    {"--no-kv-offload"},
    {"--op-offload"},
    {"--no-op-offload"},

    {"-fa", Takes::kSwitch},
    {"--flash-attn", Takes::kSwitch},
    {"-b", Takes::kValue},
    {"--batch-size", Takes::kValue},
    {"-ub", Takes::kValue},
    {"--ubatch-size", Takes::kValue},
    {"-tb", Takes::kValue},
    {"--threads-batch", Takes::kValue},
    {"--prio", Takes::kValue},
    {"--poll", Takes::kValue},
    {"--numa", Takes::kValue},
    {"--repack"},
    {"-nr"},
    {"--no-repack"},
    {"--swa-full"},

    {"--mlock"},
    {"--mmap"},
    {"--warmup"},
    {"--no-warmup"},
    {"--check-tensors"},

    {"--context-shift"},
    {"--no-context-shift", Takes::kNothing, ""},

    {"--jinja", Takes::kNothing, ""},

    {"-no-cnv"},
    {"--no-conversation"},
    {"-co", Takes::kSwitch},
    {"--color", Takes::kSwitch},
    {"--simple-io"},
    {"--no-display-prompt"},
    {"--perf"},
    {"--no-perf"},
    {"-v"},
    {"--verbose"},
    {"-lv", Takes::kValue},
    {"--verbosity", Takes::kValue},
    {"--log-disable"},
};

// "-xyz", which CLI11 would read as -x with the value "yz".
bool HasSeveralLetters(std::string_view word) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return word.size() > 2 && word[0] == '-' && is_letter(word[1]) && is_letter(word[2]);
}

template <class Row, size_t n>
const Row* Find(const Row (&rows)[n], std::string_view Row::*name, std::string_view wanted) {
  const auto* row = std::find_if(std::begin(rows), std::end(rows),
                                 [&](const Row& each) { return each.*name == wanted; });
  return row == std::end(rows) ? nullptr : row;
}

// Goes through the arguments, option by option.
class Translator {
 public:
  Translator(std::span<const std::string> arguments, bool runs_model,
             const std::function<OptionKind(std::string_view)>& kind_of)
      : left_(arguments), runs_model_(runs_model), kind_of_(kind_of) {}

  Result<TranslatedArguments> Run() {
    while (!left_.empty()) {
      const std::string word = Take();
      const size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
      const std::string name = word.substr(0, equals);
      std::optional<std::string> value;
      if (equals != std::string::npos) value = word.substr(equals + 1);

      const Renamed* renamed = Find(kRenamed, &Renamed::theirs, name);
      if (runs_model_ && renamed != nullptr && IsKnown(renamed->ours)) {
        KeepOption(name, std::string(renamed->ours));
        Keep(std::string(renamed->ours) + word.substr(name.size()));
        if (!value) KeepValue();
      } else if (IsKnown(name)) {
        KeepOption(name, name);
        Keep(word);
        if (!value && kind_of_(name) == OptionKind::kWithValue) KeepValue();
      } else if (const auto* known = Find(kMeaningless, &Meaningless::name, name);
                 runs_model_ && known != nullptr) {
        BITFETCH_RETURN_IF_ERROR(Ignore(*known, value));
      } else if (runs_model_ && HasSeveralLetters(word)) {
        return Fail("there is no option '{}'", Printable(word));
      } else {
        const std::string letter = word.substr(0, 2);  // of "-n5"
        if (IsKnown(letter)) KeepOption(letter, letter);
        Keep(word);
      }
    }
    return std::move(result_);
  }

 private:
  std::string Take() {
    std::string word = left_.front();
    left_ = left_.subspan(1);
    return word;
  }
  bool IsKnown(std::string_view name) const { return kind_of_(name) != OptionKind::kUnknown; }
  void KeepOption(std::string typed, std::string ours) {
    result_.options.push_back({std::move(typed), std::move(ours)});
  }
  void Keep(std::string word) { result_.arguments.push_back(std::move(word)); }
  void KeepValue() {
    if (!left_.empty()) Keep(Take());
  }

  Status Ignore(const Meaningless& option, std::optional<std::string> value) {
    if (option.takes == Takes::kNothing && value) return Fail("{}: takes no value", option.name);
    // llama.cpp's switches were flags once: what follows may be the next option.
    const bool next_is_value =
        !left_.empty() && (option.takes == Takes::kValue ||
                           (option.takes == Takes::kSwitch && !left_.front().starts_with('-')));
    if (!value && next_is_value) value = Take();
    if (!value && option.takes == Takes::kValue) {
      return Fail("{}: its value is missing", option.name);
    }
    if (option.takes == Takes::kSwitch && value) {
      constexpr std::string_view kStates[] = {"on", "off", "auto", "1", "0"};
      if (std::find(std::begin(kStates), std::end(kStates), *value) == std::end(kStates)) {
        return Fail("{}: '{}' is not known: wanted on, off, auto, 1 or 0", option.name,
                    Printable(*value));
      }
    }
    if (!option.silent || value.value_or("") != *option.silent) {
      result_.ignored.emplace_back(option.name);
    }
    return {};
  }

  std::span<const std::string> left_;
  bool runs_model_;
  const std::function<OptionKind(std::string_view)>& kind_of_;
  TranslatedArguments result_;
};

}  // namespace

Result<TranslatedArguments> TranslateLlamaSpellings(
    std::span<const std::string> arguments, bool runs_model,
    const std::function<OptionKind(std::string_view name)>& kind_of) {
  return Translator(arguments, runs_model, kind_of).Run();
}

}  // namespace bitfetch
