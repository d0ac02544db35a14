// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/printable.h"

namespace bitfetch {
namespace {

// Of its own: spdlog's default would be stdout, or whatever the library's host made of it.
spdlog::logger& Logger() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("bitfetch",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%l: %v");
    return made;
  }();
  return *logger;
}

}  // namespace

void WarnFormatted(fmt::string_view format, fmt::format_args args) {
  Logger().warn("{}", OneLine(fmt::vformat(format, args)));
}

void SilenceWarnings() { Logger().set_level(spdlog::level::off); }

}  // namespace bitfetch
