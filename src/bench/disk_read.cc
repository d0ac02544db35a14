// SPDX-License-Identifier: Apache-2.0
#include "bench/disk_read.h"

#include <fcntl.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <system_error>
#include <thread>
#include <vector>

#include "base/errno_text.h"
#include "base/file.h"
#include "machine/clock.h"

namespace bitfetch {
namespace {

constexpr int64_t kPieceBytes = 1 << 20;
constexpr int kInFlight = 8;
constexpr size_t kAlignment = 4096;  // which O_DIRECT asks for at most

struct Freed {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};

int64_t Pieces(int64_t bytes) { return (bytes + kPieceBytes - 1) / kPieceBytes; }

}  // namespace

Result<DiskRead> DiskRead::Create(const std::string& path, int64_t bytes) {
  // Random, since a disk may make less of bytes that repeat.
  std::vector<uint64_t> piece(kPieceBytes / sizeof(uint64_t));
  std::mt19937_64 random(1);
  BITFETCH_ASSIGN_OR_RETURN(FileWriter writer,
                            FileWriter::Create(path, Pieces(bytes) * kPieceBytes));
  for (int64_t i = 0; i < Pieces(bytes); ++i) {
    for (uint64_t& word : piece) word = random();
    BITFETCH_RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(piece))));
  }
  BITFETCH_RETURN_IF_ERROR(writer.Commit());
  Descriptor file(open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (file.get() < 0) file = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FailErrno(path);
  return DiskRead(path, std::move(file));
}

Result<double> DiskRead::Once(int64_t bytes) const {
  const int64_t pieces = Pieces(bytes);
  posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED);  // where it was not opened with O_DIRECT
  std::atomic<int64_t> next = 0;
  std::atomic<int> wrong = 0;
  const auto read = [&] {
    const std::unique_ptr<std::byte, Freed> piece(
        static_cast<std::byte*>(std::aligned_alloc(kAlignment, kPieceBytes)));
    for (int64_t i = next++; i < pieces && wrong == 0; i = next++) {
      errno = EIO;  // of a file that is shorter than it was
      if (piece == nullptr ||
          pread(file_.get(), piece.get(), kPieceBytes, i * kPieceBytes) != kPieceBytes) {
        wrong = errno;
      }
    }
  };
  const double begin = NowNs();
  try {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kInFlight; ++i) threads.emplace_back(read);
  } catch (const std::system_error&) {
    return Fail("{}: the system refuses the threads that read it", path_);
  }
  const double ns = NowNs() - begin;
  errno = wrong;
  if (wrong != 0) return FailErrno(path_);
  return static_cast<double>(pieces * kPieceBytes) / ns;
}

}  // namespace bitfetch
