// SPDX-License-Identifier: Apache-2.0
#include "serve/request_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <string_view>
#include <utility>

#include "base/json_value.h"
#include "base/printable.h"

namespace bitfetch {
namespace {

// What a pipe that is ready takes at once (PIPE_BUF of Linux).
constexpr size_t kMaxLine = 4096;
constexpr size_t kMaxError = 200;

bool WriteWithoutWaiting(int fd, std::string_view line) {
  pollfd ready{fd, POLLOUT, 0};
  if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
  return write(fd, line.data(), line.size()) == std::ssize(line);
}

// It may quote what the client sent.
std::string ErrorText(const RequestRecord& record) { return Printable(record.error, kMaxError); }

std::string ShownOrDash(std::string_view text) { return text.empty() ? "-" : Printable(text); }

}  // namespace

std::string LogLine(const RequestRecord& record, LogFormat format, double time) {
  const std::string when =
      fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(time)));
  if (format == LogFormat::kJson) {
    return fmt::format(
        R"({{"time":"{}","client":{},"method":{},"path":{},"status":{},"prompt_tokens":{},"cached_tokens":{},"tokens":{},"first_token_seconds":{:.4f},"seconds":{:.4f}{}}})",
        when, QuoteJson(record.client), QuoteJson(record.method), QuoteJson(record.path),
        record.status, record.prompt_tokens, record.cached_tokens, record.tokens,
        record.first_token_seconds, record.seconds,
        record.error.empty() ? "" : fmt::format(R"(,"error":{})", QuoteJson(ErrorText(record))));
  }
  std::string line = fmt::format("{} {} {} {} {} in {:.3f} s", when, Printable(record.client),
                                 ShownOrDash(record.method), ShownOrDash(record.path),
                                 record.status, record.seconds);
  if (record.prompt_tokens > 0) {
    line += fmt::format(", prompt of {} tokens ({} cached)", record.prompt_tokens,
                        record.cached_tokens);
  }
  if (record.tokens > 0) {
    line += fmt::format(", {} tokens written, the first after {:.3f} s", record.tokens,
                        record.first_token_seconds);
  }
  if (!record.error.empty()) line += ": " + ErrorText(record);
  return line;
}

void RequestLog::Write(const RequestRecord& record) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::lock_guard lock(mutex_);
  RequestRecord shown = record;
  shown.path.resize(std::min(shown.path.size(), kMaxLine / 10));
  shown.method.resize(std::min(shown.method.size(), kMaxLine / 100));
  std::string line = LogLine(shown, format_, now) + "\n";
  if (lost_ > 0) {
    line = (format_ == LogFormat::kJson
                ? fmt::format("{{\"lost_lines\":{}}}\n", lost_)
                : fmt::format("{} lines of this log are lost: nobody read it\n", lost_)) +
           line;
  }
  lost_ = WriteWithoutWaiting(fd_, line) ? 0 : lost_ + 1;
}

}  // namespace bitfetch
