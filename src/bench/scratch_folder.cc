// SPDX-License-Identifier: Apache-2.0
#include "bench/scratch_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "base/descriptor.h"
#include "base/errno_text.h"
#include "base/file.h"
#include "tier/disk_store.h"

namespace bitfetch {

Result<ScratchFolder> ScratchFolder::Create(const std::string& parent) {
  std::error_code error;
  const std::string in =
      parent.empty() ? std::filesystem::temp_directory_path(error).string() : parent;
  ScratchFolder folder(fmt::format("{}/bitfetch-bench-{}", in, getpid()));
  // No signal may come between its making and its announcement, so that comes first.
  if (Exists(folder.path_)) return Fail("{} is in the way", folder.path_);
  folder.folder_ = std::make_unique<TemporaryFile>(folder.path_);
  if (mkdir(folder.path_.c_str(), 0700) != 0) return FailErrno(folder.path_);
  folder.Announce("usage");
  return folder;
}

void ScratchFolder::Announce(const std::string& file) {
  files_.push_back(std::make_unique<TemporaryFile>(Path(file)));
}

void ScratchFolder::Announce(std::span<const BlockKey> keys) {
  for (const BlockKey& key : keys) Announce(DiskStore::FileName(key));
}

Status ScratchFolder::DropFromMemory() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const Descriptor file(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    // What is not on the disk yet would stay.
    if (file.get() < 0 || fdatasync(file.get()) != 0) return FailErrno(entry.path().string());
    posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  if (error) return Fail("{}: {}", path_, error.message());
  return {};
}

}  // namespace bitfetch
