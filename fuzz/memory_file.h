// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_FUZZ_MEMORY_FILE_H_
#define BITFETCH_FUZZ_MEMORY_FILE_H_

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "fuzz/check.h"

namespace bitfetch {

// A file that no disk holds.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    FUZZ_CHECK(fd_ >= 0 && write(fd_, data, size) == static_cast<ssize_t>(size));
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_;
};

// An error is one line that names the file.
template <class T>
bool IsSound(const Result<T>& result, const std::string& path) {
  if (result) return true;
  const std::string& message = result.error().message;
  FUZZ_CHECK(message.starts_with(path) && message.find('\n') == std::string::npos);
  return false;
}

}  // namespace bitfetch

#endif  // BITFETCH_FUZZ_MEMORY_FILE_H_
