// SPDX-License-Identifier: Apache-2.0
#include "cli/other_programs.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

namespace bitfetch {

Error GoOnAs(const OtherProgram& other, char** argv) {
  std::error_code error;
  const std::string path =
      std::filesystem::read_symlink("/proc/self/exe", error).replace_filename(other.program);
  if (!error) {
    execv(path.c_str(), argv);
    error = {errno, std::generic_category()};
  }
  if (error != std::errc::no_such_file_or_directory) {
    return Error(fmt::format("{}: {}", path, error.message()));
  }
  return Error(fmt::format(
      "`{0}` is not built ({1} is missing): `./run.sh {0} ...` builds it, or `cmake --build "
      "build/release --target {2}`",
      other.command, path, other.program));
}

}  // namespace bitfetch
