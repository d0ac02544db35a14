// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_TEMPORARY_FILE_H_
#define BITFETCH_BASE_TEMPORARY_FILE_H_

#include <sys/types.h>

#include <memory>
#include <string>

namespace bitfetch {

// A file, or a folder if it is empty, that is gone when this is destroyed, and also when the
// program is ended by a signal whose handler calls RemoveTemporaryFiles().
class TemporaryFile {
 public:
  // Whatever comes to stand at `path`, where nothing is yet.
  explicit TemporaryFile(std::string path);

  // A new empty file, open for writing as `*fd`. Null with errno where there cannot be one (EEXIST:
  // something stands at `path`).
  static std::unique_ptr<TemporaryFile> Create(std::string path, mode_t mode, int* fd);

  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  // Moves the file to `path`, where it stays; false with errno where that is not possible.
  bool MoveTo(const std::string& path);

 private:
  TemporaryFile() = default;
  void Enter();  // with the list locked
  void Leave();

  std::string path_;
  bool entered_ = false;
  TemporaryFile* before_ = nullptr;
  TemporaryFile* after_ = nullptr;

  friend void RemoveTemporaryFiles();
};

// Removes all that there are, the newest first, from whatever thread, also in a signal handler. The
// last thing before _exit: a thread that then creates, moves or destroys one waits for ever.
void RemoveTemporaryFiles();

}  // namespace bitfetch

#endif  // BITFETCH_BASE_TEMPORARY_FILE_H_
