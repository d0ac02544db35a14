// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_FILE_H_
#define BITFETCH_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/temporary_file.h"

namespace bitfetch {

// Whether there is a file, a folder or another thing of that name.
bool Exists(const std::string& path);

// A whole file in memory, for reading. The bytes stay where they are when the object moves.
class MappedFile {
 public:
  // Maps the file, or with `mmap` false reads it into anonymous memory (huge pages where there are
  // any), telling of the bytes. A mapping costs nothing until it is read; the system is told to
  // begin reading ahead. Errors, each naming the file: not there, no permission, a directory or
  // another thing that is no regular file, empty, too large to map.
  static Result<MappedFile> Open(const std::string& path, bool mmap = true,
                                 const Progress& progress = {});

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  bool mapped() const { return mapped_; }

  // Of a mapped file: these bytes will hardly be read again. They leave the memory of this process,
  // whole pages of them, and come back from the file if they are read after all.
  void LetGo(std::span<const std::byte> part) const;
  const std::string& path() const { return path_; }

 private:
  explicit MappedFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::span<const std::byte> bytes_;
  PageBuffer copy_;      // of a file that was read
  bool mapped_ = false;  // whether bytes_ is a mapping of our own
};

// Writes a file from front to back. Until Commit the bytes go to a temporary name beside it, so
// that a full disk or a signal that ends the program (base/temporary_file.h) leaves what was there.
// What exists and is no regular file with a name (a pipe, /dev/stdout) is written to directly.
class FileWriter {
 public:
  // `bytes`, where known: an error at once where the disk has no room for so many.
  static Result<FileWriter> Create(const std::string& path, int64_t bytes = 0);

  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&& other) noexcept;
  ~FileWriter();  // without Commit, removes what was written

  // Buffered: an error may show with a later call.
  Status Append(std::span<const std::byte> bytes);
  Status Append(std::string_view text);

  int64_t size() const { return size_; }  // bytes appended

  // Writes what is buffered, sees it safely on the disk, and gives the file its name. The last
  // call.
  Status Commit();

 private:
  FileWriter(std::string path, std::unique_ptr<TemporaryFile> temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}
  Status CheckRoom(int64_t bytes) const;
  Status WriteOut(std::span<const std::byte> bytes);
  Status Flush();

  std::string path_;
  std::unique_ptr<TemporaryFile> temporary_;  // null where the file itself is written to
  int fd_ = -1;
  int64_t size_ = 0;
  std::vector<std::byte> buffer_;
};

// The whole of a small file in one call.
Status WriteFile(const std::string& path, std::string_view text);

}  // namespace bitfetch

#endif  // BITFETCH_BASE_FILE_H_
