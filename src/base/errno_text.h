// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_ERRNO_TEXT_H_
#define BITFETCH_BASE_ERRNO_TEXT_H_

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace bitfetch {

// What the last system call that failed on this thread says of it.
inline std::string ErrnoText() { return std::generic_category().message(errno); }

// The same as an error of the file at `path`.
inline tl::unexpected<Error> FailErrno(std::string_view path) {
  return Fail("{}: {}", path, ErrnoText());
}

}  // namespace bitfetch

#endif  // BITFETCH_BASE_ERRNO_TEXT_H_
