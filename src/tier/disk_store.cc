// SPDX-License-Identifier: Apache-2.0
#include "tier/disk_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "base/errno_text.h"
#include "base/temporary_file.h"

namespace bitfetch {
namespace {

constexpr std::string_view kEnding = ".kv";
constexpr std::string_view kPartEnding = ".part";
constexpr size_t kKeyDigits = 2 * sizeof(Digest);
constexpr auto kLockPatience = std::chrono::seconds(5);
// As 1000 layers with 32 heads of 256 dimensions have in f32.
constexpr int64_t kMaxBlockBytes = int64_t{1} << 30;
// After so long, what was written aside is nobody's any more.
constexpr int64_t kPartLifeNs = int64_t{3600} * 1'000'000'000;

bool IsOurs(std::string_view file) {
  const std::string_view key = file.substr(0, kKeyDigits);
  return key.size() == kKeyDigits &&
         key.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         file.substr(kKeyDigits).starts_with(kEnding) &&
         (file.size() == kKeyDigits + kEnding.size() || file.ends_with(kPartEnding));
}

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return Nanoseconds(now);
}

// What a file of so many bytes takes of a disk, which is given away by pages.
int64_t OnDisk(int64_t bytes) {
  constexpr int64_t kPage = 4096;
  return (bytes + kPage - 1) / kPage * kPage;
}

// For utimensat: a file was wanted then. The system's own times tick some hundred times a second,
// in which many are wanted.
std::array<timespec, 2> WantedAt(int64_t ns) {
  return {timespec{0, UTIME_OMIT}, timespec{ns / 1'000'000'000, ns % 1'000'000'000}};
}

// Reads or writes, by `transfer`, all of both; false with errno, or with errno 0 at the end of the
// file.
template <class Transfer>
bool TransferAll(int fd, iovec first, iovec second, Transfer transfer) {
  iovec parts[] = {first, second};
  off_t at = 0;
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    errno = 0;
    const ssize_t done = transfer(fd, parts, 2, at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    auto left = static_cast<size_t>(done);
    for (iovec& part : parts) {
      const size_t taken = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + taken;
      part.iov_len -= taken;
      left -= taken;
    }
  }
  return true;
}

bool ReadAll(int fd, std::span<std::byte> block, RecordHeader& header) {
  return TransferAll(fd, {block.data(), block.size()}, {header.data(), header.size()}, preadv);
}

// Whether the system's memory has a file, as far as its first page tells.
bool IsInMemory(int fd) {
  void* page = mmap(nullptr, 1, PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return false;
  unsigned char is_there = 0;
  mincore(page, 1, &is_there);
  munmap(page, 1);
  return (is_there & 1) != 0;
}

// The same as ReadAll from the disk itself to where the block belongs, without a copy in the
// system's memory: half the work, and twice as fast where that is on huge pages. False where
// something between here and the disk can't; then the file is as it was opened.
bool ReadDirect(int fd, std::span<std::byte> block, RecordHeader& header) {
  constexpr size_t kSector = 512;  // at least: what else a device asks for, it refuses
  if (reinterpret_cast<uintptr_t>(block.data()) % kSector != 0 || block.size() % kSector != 0 ||
      fcntl(fd, F_SETFL, O_DIRECT) != 0) {
    return false;
  }
  alignas(4096) std::array<std::byte, 4096> end;  // the header, and room behind it
  const iovec parts[] = {{block.data(), block.size()}, {end.data(), end.size()}};
  const bool is_read =
      preadv(fd, parts, 2, 0) == static_cast<ssize_t>(block.size() + header.size());
  if (is_read) std::copy_n(end.begin(), header.size(), header.begin());
  fcntl(fd, F_SETFL, 0);
  return is_read;
}

// Nothing: never counted.
std::optional<int64_t> ReadUsage(int usage) {
  int64_t bytes;
  if (pread(usage, &bytes, sizeof(bytes), 0) != sizeof(bytes) || bytes < 0) return std::nullopt;
  return bytes;
}

bool WriteUsage(int usage, int64_t bytes) {
  return pwrite(usage, &bytes, sizeof(bytes), 0) == sizeof(bytes);
}

}  // namespace

// The lock of a folder, which the system lets go of with the process. Others hold it for as long as
// they write a record or look through the folder; one that is stopped holds it for ever.
class DiskStore::FolderLock {
 public:
  // Waits at most so long for it. Errors: another process has it.
  static Result<FolderLock> Take(int usage, std::chrono::milliseconds patience,
                                 const std::string& folder) {
    using Clock = std::chrono::steady_clock;
    const auto until = Clock::now() + patience;
    for (auto pause = std::chrono::milliseconds(1); flock(usage, LOCK_EX | LOCK_NB) != 0;
         pause = std::min(2 * pause, std::chrono::milliseconds(32))) {
      if (errno != EINTR && errno != EWOULDBLOCK) return FailErrno(folder + "/usage");
      if (Clock::now() >= until) {
        return Fail("{}: another process keeps this folder locked", folder);
      }
      std::this_thread::sleep_for(pause);
    }
    return FolderLock(usage);
  }
  ~FolderLock() {
    if (usage_ >= 0) flock(usage_, LOCK_UN);
  }
  FolderLock(FolderLock&& other) noexcept : usage_(std::exchange(other.usage_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;

 private:
  explicit FolderLock(int usage) : usage_(usage) {}

  int usage_;
};

std::string DiskStore::FileName(const BlockKey& key) { return HexOf(key.digest).append(kEnding); }

int64_t DiskStore::BytesOnDisk(size_t block_bytes) {
  return OnDisk(static_cast<int64_t>(kRecordHeaderBytes + block_bytes));
}

Result<DiskStore> DiskStore::Open(const std::string& folder, int64_t max_bytes) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return FailErrno(folder);
  Descriptor at(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status;
  if (at.get() < 0 || fstat(at.get(), &status) != 0) return FailErrno(folder);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail("{}: others may write to this folder, so what is in it can't be trusted", folder);
  }
  // Root looks after the folders of others, such as a service's.
  if (status.st_uid != 0 && status.st_uid != geteuid() && geteuid() != 0) {
    return Fail("{}: this folder is another user's, so what is in it can't be trusted", folder);
  }
  Descriptor usage(
      openat(at.get(), "usage", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  if (usage.get() >= 0 && (fstat(usage.get(), &status) != 0 || !S_ISREG(status.st_mode))) {
    return Fail("{}/usage: is not a regular file", folder);
  }
  DiskStore store(folder, std::move(at), std::move(usage), max_bytes);
  if (max_bytes == 0) {
    struct statvfs disk;
    if (fstatvfs(store.at_.get(), &disk) != 0) return FailErrno(folder);
    BITFETCH_ASSIGN_OR_RETURN(const std::vector<Record> records, store.List());
    auto room = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
    for (const Record& record : records) room += record.bytes;
    store.max_bytes_ = std::min(kDefaultMaxBytes, room / 2);
  }
  return store;
}

int64_t DiskStore::Count(std::span<const BlockKey> keys) {
  const auto missing = std::ranges::find_if(keys, [this](const BlockKey& key) {
    return faccessat(at_.get(), FileName(key).c_str(), R_OK, 0) != 0;
  });
  return missing - keys.begin();
}

Descriptor DiskStore::OpenRecord(const char* file) const {
  return Descriptor(openat(at_.get(), file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
}

Status DiskStore::Read(std::span<const BlockKey> keys, std::span<std::byte* const> to,
                       size_t block_bytes, FunctionRef<bool()> arrived) {
  for (size_t i = 0; i < keys.size(); ++i) {
    BITFETCH_ASSIGN_OR_RETURN(const bool is_there, ReadOne(keys[i], {to[i], block_bytes}));
    if (!is_there || !arrived()) break;
  }
  return {};
}

Result<bool> DiskStore::ReadOne(const BlockKey& key, std::span<std::byte> block) const {
  const std::string file = FileName(key);
  const Descriptor fd = OpenRecord(file.c_str());
  if (fd.get() < 0 && errno == ENOENT) return false;
  const auto check = [&]() -> Status {
    struct stat status;
    if (fd.get() < 0 || fstat(fd.get(), &status) != 0) return FailErrno("it can't be read");
    if (!S_ISREG(status.st_mode)) return Fail("it is not a regular file");
    BITFETCH_RETURN_IF_ERROR(CheckRecordBytes(status.st_size, block.size()));
    RecordHeader header;
    // What was written just now comes faster from memory.
    if ((IsInMemory(fd.get()) || !ReadDirect(fd.get(), block, header)) &&
        !ReadAll(fd.get(), block, header)) {
      return FailErrno("it can't be read");
    }
    return CheckRecord(header, block, key);
  };
  if (const Status checked = check(); !checked) {
    unlinkat(at_.get(), file.c_str(), 0);
    return Fail("{}/{}: {}", folder_, file, checked.error().message);
  }
  return true;
}

Status DiskStore::Write(const BlockName& name, std::span<const std::byte> block) {
  const int64_t bytes = BytesOnDisk(block.size());
  if (bytes > max_bytes_) return {};
  const RecordHeader header = MakeRecordHeader(name, block);
  if (HasRecord(name.key, header, block.size())) {
    Touch({&name.key, 1});
    return {};
  }
  if (usage_.get() < 0) return Fail("{}: nothing can be written there", folder_);
  BITFETCH_ASSIGN_OR_RETURN(const FolderLock lock, Lock());
  BITFETCH_RETURN_IF_ERROR(MakeRoom(bytes));
  // Counted before it is there: a process that is ended here has counted too much, never too
  // little.
  const int64_t before = ReadUsage(usage_.get()).value_or(max_bytes_);
  if (!WriteUsage(usage_.get(), before + bytes)) return FailErrno(folder_ + "/usage");
  Status written = WriteAside(name.key, header, block);
  if (!written) WriteUsage(usage_.get(), before);
  return written;
}

// Who was kept waiting does not wait again until the folder is free: there may be many records.
Result<DiskStore::FolderLock> DiskStore::Lock() {
  const auto patience = is_locked_out_ ? std::chrono::seconds(0) : kLockPatience;
  auto lock = FolderLock::Take(usage_.get(), patience, folder_);
  is_locked_out_ = !lock;
  return lock;
}

// A record that was cut or never came to the disk, as after a crash of the system, is none.
bool DiskStore::HasRecord(const BlockKey& key, const RecordHeader& header,
                          size_t block_bytes) const {
  const Descriptor fd = OpenRecord(FileName(key).c_str());
  struct stat status;
  RecordHeader found;
  return fd.get() >= 0 && fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) &&
         CheckRecordBytes(status.st_size, block_bytes) &&
         pread(fd.get(), found.data(), found.size(), static_cast<off_t>(block_bytes)) ==
             std::ssize(found) &&
         found == header;
}

Status DiskStore::WriteAside(const BlockKey& key, RecordHeader header,
                             std::span<const std::byte> block) const {
  static std::atomic<int> number;
  // By the folder that was opened, whatever has its name by now.
  const std::string path = fmt::format("/proc/self/fd/{}/{}", at_.get(), FileName(key));
  int fd = -1;
  const std::unique_ptr<TemporaryFile> part = TemporaryFile::Create(
      fmt::format("{}.{}-{}{}", path, getpid(), number++, kPartEnding), 0600, &fd);
  if (part == nullptr) return FailErrno(folder_);
  const Descriptor closed(fd);
  if (!TransferAll(fd, {const_cast<std::byte*>(block.data()), block.size()},
                   {header.data(), header.size()}, pwritev) ||
      futimens(fd, WantedAt(Now()).data()) != 0 || !part->MoveTo(path)) {
    return FailErrno(folder_);
  }
  return {};
}

// With the lock.
Status DiskStore::MakeRoom(int64_t bytes) {
  const int64_t fits = max_bytes_ - bytes;
  if (const std::optional<int64_t> usage = ReadUsage(usage_.get()); usage && *usage <= fits) {
    return {};
  }
  BITFETCH_ASSIGN_OR_RETURN(std::vector<Record> records, List());
  int64_t held = 0;
  for (const Record& record : records) held += record.bytes;
  if (held > fits) {
    // More than is needed now, so that the folder is not gone through for each record.
    const int64_t wanted = std::min(fits, max_bytes_ / 10 * 9);
    const int64_t too_old = Now() - kPartLifeNs;
    std::ranges::sort(records, {}, &Record::used_ns);
    for (const Record& record : records) {
      if (held <= wanted) break;
      if (!record.is_whole && record.used_ns > too_old) continue;
      BITFETCH_RETURN_IF_ERROR(Remove(record));
      held -= record.bytes;
    }
  }
  if (!WriteUsage(usage_.get(), held)) return FailErrno(folder_ + "/usage");
  if (held > fits) return Fail("{}: no room can be made there", folder_);
  return {};
}

void DiskStore::Touch(std::span<const BlockKey> keys) {
  int64_t now = Now();
  for (size_t i = keys.size(); i-- > 0;) {
    utimensat(at_.get(), FileName(keys[i]).c_str(), WantedAt(now++).data(), AT_SYMLINK_NOFOLLOW);
  }
}

Result<std::vector<DiskStore::Record>> DiskStore::List() const {
  const int fd = openat(at_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> all(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (all == nullptr) return FailErrno(folder_);
  std::vector<Record> records;
  while (const dirent* entry = readdir(all.get())) {
    struct stat status;
    if (!IsOurs(entry->d_name) ||
        fstatat(at_.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(status.st_mode)) {
      continue;
    }
    records.push_back({.file = entry->d_name,
                       .bytes = OnDisk(status.st_size),
                       .used_ns = Nanoseconds(status.st_mtim),
                       .is_whole = std::string_view(entry->d_name).ends_with(kEnding)});
  }
  return records;
}

Result<BlockName> DiskStore::Check(const Record& record) const {
  const Descriptor fd = OpenRecord(record.file.c_str());
  struct stat status;
  if (fd.get() < 0 || fstat(fd.get(), &status) != 0) return FailErrno(record.file);
  if (!S_ISREG(status.st_mode)) return Fail("{}: is not a regular file", record.file);
  RecordHeader header;
  const int64_t bytes = status.st_size - static_cast<int64_t>(header.size());
  if (bytes < 0 || pread(fd.get(), header.data(), header.size(), bytes) != std::ssize(header) ||
      RecordBlockBytes(header) != static_cast<uint64_t>(bytes)) {
    return Fail("{}: is not a whole record", record.file);
  }
  if (bytes > kMaxBlockBytes) return Fail("{}: is larger than any block", record.file);
  std::vector<std::byte> block(bytes);
  if (!ReadAll(fd.get(), block, header)) return FailErrno(record.file);
  auto name = ReadRecord(header, block);
  if (!name) return Fail("{}: {}", record.file, name.error().message);
  if (FileName(name->key) != record.file) return Fail("{}: is another block's", record.file);
  return name;
}

Status DiskStore::Clear() {
  if (usage_.get() < 0) return Fail("{}: nothing can be changed there", folder_);
  BITFETCH_ASSIGN_OR_RETURN(const FolderLock lock, Lock());
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<Record> records, List());
  for (const Record& record : records) BITFETCH_RETURN_IF_ERROR(Remove(record));
  if (!WriteUsage(usage_.get(), 0)) return FailErrno(folder_ + "/usage");
  return {};
}

Status DiskStore::Remove(const Record& record) const {
  if (unlinkat(at_.get(), record.file.c_str(), 0) == 0 || errno == ENOENT) return {};
  return FailErrno(folder_ + "/" + record.file);
}

}  // namespace bitfetch
