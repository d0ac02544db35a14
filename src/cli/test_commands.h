// SPDX-License-Identifier: Apache-2.0
// For tests: what commands are given.
#ifndef BITFETCH_CLI_TEST_COMMANDS_H_
#define BITFETCH_CLI_TEST_COMMANDS_H_

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {

inline const std::string kModel = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

inline void WriteText(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Quick and the same everywhere: no probe of the memory, few threads.
inline std::vector<std::string> With(std::vector<std::string> arguments,
                                     const std::vector<std::string>& more = {}) {
  const std::vector<std::string> quick = {"-m", kModel, "--prefetch", "off", "-t", "2"};
  arguments.insert(arguments.end(), quick.begin(), quick.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace bitfetch

#endif  // BITFETCH_CLI_TEST_COMMANDS_H_
