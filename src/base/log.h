// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_LOG_H_
#define BITFETCH_BASE_LOG_H_

#include <fmt/core.h>

namespace bitfetch {

void WarnFormatted(fmt::string_view format, fmt::format_args args);

// One line "warning: ..." on stderr for what the user should know though work goes on, of the
// program and of the library alike. Any thread may call it.
template <class... Args>
void Warn(fmt::format_string<Args...> format, Args&&... args) {
  WarnFormatted(format, fmt::make_format_args(args...));
}

// From now on warnings go nowhere: for whoever reads broken files by the thousand.
void SilenceWarnings();

}  // namespace bitfetch

#endif  // BITFETCH_BASE_LOG_H_
