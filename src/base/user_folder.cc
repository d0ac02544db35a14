// SPDX-License-Identifier: Apache-2.0
#include "base/user_folder.h"

#include <cstdlib>

namespace bitfetch {
namespace {

std::string AbsolutePathIn(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] == '/' ? value : "";
}

}  // namespace

std::string UserFolder(const char* variable, const std::string& below_home) {
  if (const std::string folder = AbsolutePathIn(variable); !folder.empty()) {
    return folder + "/bitfetch";
  }
  const std::string home = AbsolutePathIn("HOME");
  return home.empty() ? "" : home + "/" + below_home + "/bitfetch";
}

}  // namespace bitfetch
