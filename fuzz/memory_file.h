// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_FUZZ_MEMORY_FILE_H_
#define BITFETCH_FUZZ_MEMORY_FILE_H_

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

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

}  // namespace bitfetch

#endif  // BITFETCH_FUZZ_MEMORY_FILE_H_
