// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_LLAMA_SPELLINGS_H_
#define BITFETCH_CLI_LLAMA_SPELLINGS_H_

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// What a command knows of an option by its name.
enum class OptionKind { kUnknown, kFlag, kWithValue };

// An option as it was typed, and a name of it that the command knows.
struct TypedOption {
  std::string typed;
  std::string ours;
};

struct TranslatedArguments {
  std::vector<std::string> arguments;  // in our spelling
  std::vector<TypedOption> options;    // those among them, in this order
  std::vector<std::string> ignored;    // options of llama.cpp that have no meaning here, left out
};

// The arguments of a command; where it runs a model, with llama.cpp's spellings of options replaced
// by ours: `-ctk q8_0` becomes `--cache-type-k q8_0`. What neither has stays as it is. Errors: an
// option of llama.cpp's whose value is missing or wrong; one dash and several letters that neither
// knows.
Result<TranslatedArguments> TranslateLlamaSpellings(
    std::span<const std::string> arguments, bool runs_model,
    const std::function<OptionKind(std::string_view name)>& kind_of);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_LLAMA_SPELLINGS_H_
