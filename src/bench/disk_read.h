// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_DISK_READ_H_
#define BITFETCH_BENCH_DISK_READ_H_

#include <cstdint>
#include <string>
#include <utility>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/memory.h"

namespace bitfetch {

// The yardstick of what reads a disk: a file is read from its beginning in pieces of 1 MiB, eight
// on their way at a time, into huge pages (a virtual machine's disk may be twice as fast where a
// piece lies in one), and past the system's memory (O_DIRECT) where the file system allows.
class DiskRead {
 public:
  // Writes a file of random bytes, to whose place the caller sees. Errors: the system's.
  static Result<DiskRead> Create(const std::string& path, int64_t bytes);

  // Reads its first `bytes`, rounded up to whole pieces; GB/s (10^9 bytes). Errors: the system's.
  Result<double> Once(int64_t bytes);

 private:
  DiskRead(std::string path, Descriptor file, PageBuffer pieces)
      : path_(std::move(path)), file_(std::move(file)), pieces_(std::move(pieces)) {}

  std::string path_;
  Descriptor file_;
  PageBuffer pieces_;  // on their way
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_DISK_READ_H_
