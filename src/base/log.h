// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_LOG_H_
#define BITFETCH_BASE_LOG_H_

#include <spdlog/spdlog.h>

#include <utility>

#include "base/printable.h"

namespace bitfetch {

// Writes lines such as "warning: ..." to stderr, of the program and of the library alike: spdlog's
// own default would be stdout, or whatever the library's host made of it.
spdlog::logger& Log();

// One line for what the user should know though work goes on. Any thread may call it.
template <class... Args>
void Warn(fmt::format_string<Args...> format, Args&&... args) {
  Log().warn("{}", OneLine(fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace bitfetch

#endif  // BITFETCH_BASE_LOG_H_
