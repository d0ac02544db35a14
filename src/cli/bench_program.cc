// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_program.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

namespace bitfetch {

Error RunBenchProgram(char** argv) {
  std::error_code error;
  const std::string path =
      std::filesystem::read_symlink("/proc/self/exe", error).replace_filename("bitfetch-bench");
  if (!error) {
    execv(path.c_str(), argv);
    error = {errno, std::generic_category()};
  }
  if (error != std::errc::no_such_file_or_directory) {
    return {fmt::format("{}: {}", path, error.message())};
  }
  return {fmt::format(
      "the benchmarks are not built ({} is missing): `./run.sh bench ...` builds them, or `cmake "
      "--build build/release --target bitfetch-bench`",
      path)};
}

}  // namespace bitfetch
