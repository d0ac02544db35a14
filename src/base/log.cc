// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace bitfetch {

void LogToStderr() {
  auto logger = std::make_shared<spdlog::logger>("bitfetch",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%l: %v");
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace bitfetch
