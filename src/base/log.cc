// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace bitfetch {

spdlog::logger& Log() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("bitfetch",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%l: %v");
    return made;
  }();
  return *logger;
}

}  // namespace bitfetch
