// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_REQUEST_LOG_H_
#define BITFETCH_SERVE_REQUEST_LOG_H_

#include <cstdint>
#include <mutex>
#include <string>

namespace bitfetch {

// What is told of a request once it has its answer.
struct RequestRecord {
  std::string client;  // its address
  std::string method;  // empty, as the path: it could not be read
  std::string path;
  int status = 0;  // 499: the client left before the answer was whole
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t tokens = 0;
  double first_token_seconds = 0;  // since the request came in; 0: there was none
  double seconds = 0;
  std::string error = {};  // why it was refused or broken off; empty: it was answered
};

enum class LogFormat { kText, kJson };

// One line for a person, or one object of JSON, without a line end. `time`: in seconds since 1970.
std::string LogLine(const RequestRecord& record, LogFormat format, double time);

// One line a request on stderr. Where nobody reads (a full pipe, a stopped terminal) lines are lost
// rather than waited for, and the next one that gets through says how many. Any thread may call it.
class RequestLog {
 public:
  RequestLog(LogFormat format, int fd) : format_(format), fd_(fd) {}
  void Write(const RequestRecord& record);

 private:
  const LogFormat format_;
  const int fd_;
  std::mutex mutex_;
  int64_t lost_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_REQUEST_LOG_H_
