// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_SCRATCH_FOLDER_H_
#define BITFETCH_BENCH_SCRATCH_FOLDER_H_

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/temporary_file.h"
#include "kv/block_key.h"

namespace bitfetch {

// A folder for the KV of a benchmark (DiskStore), which goes at the end with all that was announced
// of it, also when the program is ended by a signal.
class ScratchFolder {
 public:
  // In `parent`; empty: where the system has its temporary files. Errors: it can't be made there.
  static Result<ScratchFolder> Create(const std::string& parent);

  // Records with these keys come, or another file.
  void Announce(std::span<const BlockKey> keys);
  void Announce(const std::string& file);

  // Writes what is in it to the disk, and takes it out of the system's memory: whoever reads it
  // next, reads the disk. Errors: the system's.
  Status DropFromMemory() const;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& file) const { return path_ + "/" + file; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::unique_ptr<TemporaryFile> folder_;  // goes last, when it is empty
  std::vector<std::unique_ptr<TemporaryFile>> files_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_SCRATCH_FOLDER_H_
