// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/descriptor.h"
#include "base/errno_text.h"

namespace bitfetch {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;
// In one call, which Ctrl-C waits for.
constexpr size_t kMaxAtOnce = size_t{1} << 22;

Status ReadAll(const std::string& path, int fd, std::span<std::byte> out,
               const Progress& progress) {
  const auto total = static_cast<int64_t>(out.size());
  while (!out.empty()) {
    const ssize_t got = read(fd, out.data(), std::min(out.size(), kMaxAtOnce));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno(path);
    if (got == 0) return Fail("{}: became shorter while it was read", path);
    out = out.subspan(static_cast<size_t>(got));
    if (progress) progress(total - static_cast<int64_t>(out.size()), total);
  }
  return {};
}

}  // namespace

Result<MappedFile> MappedFile::Open(const std::string& path, bool mmap, const Progress& progress) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return FailErrno(path);
  struct stat status;
  if (fstat(fd.get(), &status) != 0) return FailErrno(path);
  if (S_ISDIR(status.st_mode)) return Fail("{}: is a directory, not a file", path);
  if (!S_ISREG(status.st_mode)) return Fail("{}: is not a regular file", path);
  if (status.st_size == 0) return Fail("{}: is empty", path);
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size > std::numeric_limits<size_t>::max() / 2) return Fail("{}: is too large", path);

  MappedFile file(path);
  if (mmap) {
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (at == MAP_FAILED) return Fail("{}: cannot map its {} bytes: {}", path, size, ErrnoText());
    madvise(at, size, MADV_WILLNEED);  // advice: nothing depends on its being taken
    file.mapped_ = true;
    file.bytes_ = {static_cast<const std::byte*>(at), size};
    return file;
  }
  auto buffer = PageBuffer::Allocate(size, PageSize::kHuge);
  if (!buffer) {
    return Fail("{}: cannot hold its {} bytes in memory: {}", path, size, buffer.error().message);
  }
  file.copy_ = *std::move(buffer);
  BITFETCH_RETURN_IF_ERROR(ReadAll(path, fd.get(), {file.copy_.data(), size}, progress));
  file.bytes_ = {file.copy_.data(), size};
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      bytes_(std::exchange(other.bytes_, {})),
      copy_(std::move(other.copy_)),
      mapped_(std::exchange(other.mapped_, false)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  std::swap(copy_, other.copy_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

void MappedFile::LetGo(std::span<const std::byte> part) const {
  if (!mapped_) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const size_t before = -reinterpret_cast<uintptr_t>(part.data()) % page;
  if (before >= part.size()) return;
  const size_t bytes = (part.size() - before) / page * page;
  // Advice: nothing depends on its being taken.
  if (bytes > 0) madvise(const_cast<std::byte*>(part.data()) + before, bytes, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (mapped_) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Result<FileWriter> FileWriter::Create(const std::string& path, int64_t bytes) {
  std::string target = path;
  std::optional<mode_t> mode;  // of what is there already
  struct stat status;
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return Fail("{}: is a directory, not a file", path);
    // Renaming over a symbolic link would replace the link, not what it points to; and what it
    // points to may have no name any more, as /dev/stdout where that file was removed.
    const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
    if (!S_ISREG(status.st_mode) || !real) {
      const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (fd < 0) return FailErrno(path);
      return FileWriter(path, nullptr, fd);
    }
    if (access(path.c_str(), W_OK) != 0) return FailErrno(path);
    mode = status.st_mode & 07777;
    target = real.get();
  }
  static std::atomic<int> count{0};
  for (;;) {
    int fd = -1;
    auto temporary = TemporaryFile::Create(fmt::format("{}.{}-{}.tmp", target, getpid(), count++),
                                           mode.value_or(0666), &fd);
    if (temporary) {
      // What the umask took away; a file system without modes has none to keep.
      if (mode) std::ignore = fchmod(fd, *mode);
      FileWriter writer(std::move(target), std::move(temporary), fd);
      BITFETCH_RETURN_IF_ERROR(writer.CheckRoom(bytes));
      return writer;
    }
    if (errno != EEXIST) return FailErrno(path);
  }
}

Status FileWriter::CheckRoom(int64_t bytes) const {
  struct statvfs disk;
  if (fstatvfs(fd_, &disk) != 0) return {};  // then writing says whether there is
  const uint64_t room = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (std::cmp_less_equal(bytes, room)) return {};
  return Fail("{}: would be of {} bytes, and its disk has room for {}", path_, bytes, room);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      buffer_(std::move(other.buffer_)) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) close(fd_);
}

Status FileWriter::Append(std::span<const std::byte> bytes) {
  size_ += static_cast<int64_t>(bytes.size());
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    BITFETCH_RETURN_IF_ERROR(Flush());
    if (bytes.size() > kBufferBytes) return WriteOut(bytes);
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return {};
}

Status FileWriter::Append(std::string_view text) {
  return Append(std::as_bytes(std::span(text.data(), text.size())));
}

Status FileWriter::Flush() {
  BITFETCH_RETURN_IF_ERROR(WriteOut(buffer_));
  buffer_.clear();
  return {};
}

Status FileWriter::WriteOut(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), std::min(bytes.size(), kMaxAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailErrno(path_);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status FileWriter::Commit() {
  BITFETCH_RETURN_IF_ERROR(Flush());
  // Late errors of a full disk or a network file system show only here.
  if (temporary_ && fsync(fd_) != 0) return FailErrno(path_);
  if (close(std::exchange(fd_, -1)) != 0) return FailErrno(path_);
  if (temporary_ && !temporary_->MoveTo(path_)) return FailErrno(path_);
  return {};
}

Status WriteFile(const std::string& path, std::string_view text) {
  BITFETCH_ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Create(path));
  BITFETCH_RETURN_IF_ERROR(writer.Append(text));
  return writer.Commit();
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace bitfetch
