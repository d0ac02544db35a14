// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_FACTS_H_
#define BITFETCH_CLI_FACTS_H_

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace bitfetch {

// Lines of a name and what there is to say of it.
class Facts {
 public:
  template <class... Args>
  void Add(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format("{:<26}{}\n", name, fmt::format(format, std::forward<Args>(args)...));
  }
  void Append(std::string_view lines) { text_ += lines; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// "1.2 GB", in powers of 1000 as files and benchmarks have them; caches come in powers of 1024.
std::string BytesText(double bytes);

// What the file holds and needs, and whether it runs here. An error only where it is no sound GGUF
// file.
Status AddModelFacts(const std::string& path, Facts& facts);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_FACTS_H_
