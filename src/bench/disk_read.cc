// SPDX-License-Identifier: Apache-2.0
#include "bench/disk_read.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <random>
#include <span>
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
  BITFETCH_ASSIGN_OR_RETURN(PageBuffer pieces,
                            PageBuffer::Allocate(kInFlight * kPieceBytes, PageSize::kHuge));
  std::ranges::fill_n(pieces.data(), pieces.size(), std::byte{1});  // touched
  return DiskRead(path, std::move(file), std::move(pieces));
}

Result<double> DiskRead::Once(int64_t bytes) {
  const int64_t pieces = Pieces(bytes);
  posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED);  // where it was not opened with O_DIRECT
  std::atomic<int64_t> next = 0;
  std::atomic<int> wrong = 0;
  const auto read = [&](std::byte* piece) {
    for (int64_t i = next++; i < pieces && wrong == 0; i = next++) {
      errno = EIO;  // of a file that is shorter than it was
      if (pread(file_.get(), piece, kPieceBytes, i * kPieceBytes) != kPieceBytes) wrong = errno;
    }
  };
  const double begin = NowNs();
  try {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kInFlight; ++i) {
      threads.emplace_back(read, pieces_.data() + i * kPieceBytes);
    }
  } catch (const std::system_error&) {
    return Fail("{}: the system refuses the threads that read it", path_);
  }
  const double ns = NowNs() - begin;
  errno = wrong;
  if (wrong != 0) return FailErrno(path_);
  return static_cast<double>(pieces * kPieceBytes) / ns;
}

}  // namespace bitfetch
