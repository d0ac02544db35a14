// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_USER_FOLDER_H_
#define BITFETCH_BASE_USER_FOLDER_H_

#include <string>

namespace bitfetch {

// Our folder among the user's, as the XDG base directory specification has it: "bitfetch" in the
// absolute path that the environment variable `variable` names, else in `below_home` of HOME. Empty
// where neither is there. The folder need not exist.
std::string UserFolder(const char* variable, const std::string& below_home);

}  // namespace bitfetch

#endif  // BITFETCH_BASE_USER_FOLDER_H_
