// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_LOG_H_
#define BITFETCH_BASE_LOG_H_

#include <spdlog/spdlog.h>

#include <utility>

namespace bitfetch {

// One line on stderr, "warning: ...", for what the user should know though work goes on. Any thread
// may call it.
template <class... Args>
void Warn(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::warn(format, std::forward<Args>(args)...);
}

// Sends the log to stderr in the form above. Called once, by the program; a library user keeps a
// logger of its own.
void LogToStderr();

}  // namespace bitfetch

#endif  // BITFETCH_BASE_LOG_H_
