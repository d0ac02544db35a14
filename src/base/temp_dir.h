// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_TEMP_DIR_H_
#define BITFETCH_BASE_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace bitfetch {

// For tests: a new empty folder, removed at the end with all that is in it.
class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "bitfetch-XXXXXX").string()) {
    if (!mkdtemp(path_.data())) std::abort();
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_TEMP_DIR_H_
