// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <set>

#include "base/temp_dir.h"

namespace {

// How read() behaves in this program while it is set.
struct ReadFaults {
  size_t at_most = SIZE_MAX;  // bytes in one call
  int interrupted = 0;        // so many of the calls: every other one, from the first
  int64_t bytes = INT64_MAX;  // after so many comes...
  int error = 0;              // ...this, or with 0 the end
};
ReadFaults* read_faults = nullptr;

}  // namespace

// In place of the C library's.
extern "C" ssize_t read(int fd, void* to, size_t count) {
  ReadFaults* faults = read_faults;
  if (faults == nullptr) return syscall(SYS_read, fd, to, count);
  if (faults->interrupted > 0 && faults->interrupted-- % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  if (faults->bytes == 0) {
    errno = faults->error;
    return faults->error == 0 ? 0 : -1;
  }
  count = std::min({count, faults->at_most, static_cast<size_t>(faults->bytes)});
  const ssize_t got = syscall(SYS_read, fd, to, count);
  faults->bytes -= std::max<ssize_t>(got, 0);
  return got;
}

namespace bitfetch {
namespace {

namespace fs = std::filesystem;
using ::testing::StartsWith;

class FileTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.Path(name); }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      names.insert(entry.path().filename());
    }
    return names;
  }

  TempDir dir_;
};

std::string Text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::string RandomText(size_t size) {
  std::mt19937 random(7);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string OpenError(const std::string& path, bool mmap = true) {
  auto file = MappedFile::Open(path, mmap);
  return file ? "no error" : file.error().message;
}

TEST_F(FileTest, WhatWasWrittenIsReadMappedOrNot) {
  const std::string text = RandomText(3'000'001);
  ASSERT_TRUE(WriteFile(Path("f"), text));
  for (const bool mmap : {true, false}) {
    auto file = MappedFile::Open(Path("f"), mmap);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->path(), Path("f"));
    EXPECT_EQ(Text(*file), text);
  }
}

TEST_F(FileTest, ReadingTellsHowFarItIs) {
  constexpr int64_t kBytes = 10'000'000;
  ASSERT_TRUE(WriteFile(Path("f"), RandomText(kBytes)));
  std::vector<int64_t> seen = {0};
  const Progress progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, kBytes);
    EXPECT_GT(done, seen.back());
    seen.push_back(done);
  };
  ASSERT_TRUE(MappedFile::Open(Path("f"), /*mmap=*/false, progress));
  EXPECT_EQ(seen.back(), kBytes);
  EXPECT_GT(seen.size(), 3u);
}

// What MappedFile::Open says, without the path in front, or the file's text.
std::string ReadWith(ReadFaults faults, const std::string& path) {
  read_faults = &faults;
  const auto file = MappedFile::Open(path, /*mmap=*/false);
  read_faults = nullptr;
  if (file) return Text(*file);
  EXPECT_THAT(file.error().message, StartsWith(path + ": "));
  return file.error().message.substr(path.size() + 2);
}

TEST_F(FileTest, ReadsThatFallShortOrFail) {
  const std::string text = RandomText(10'000);
  ASSERT_TRUE(WriteFile(Path("f"), text));
  EXPECT_EQ(ReadWith({.at_most = 7}, Path("f")), text);
  EXPECT_EQ(ReadWith({.at_most = 100, .interrupted = 40}, Path("f")), text);
  for (const int64_t bytes : {0, 1, 9'999}) {
    EXPECT_EQ(ReadWith({.bytes = bytes}, Path("f")), "became shorter while it was read");
    EXPECT_EQ(ReadWith({.bytes = bytes, .error = EIO}, Path("f")), "Input/output error");
  }
}

TEST_F(FileTest, BytesStayWhereTheyAreWhenItMoves) {
  ASSERT_TRUE(WriteFile(Path("f"), "first"));
  ASSERT_TRUE(WriteFile(Path("g"), "second"));
  for (const bool mmap : {true, false}) {
    MappedFile first = *MappedFile::Open(Path("f"), mmap);
    const std::byte* at = first.bytes().data();
    MappedFile moved = std::move(first);
    EXPECT_EQ(moved.bytes().data(), at);
    EXPECT_EQ(Text(moved), "first");
    moved = *MappedFile::Open(Path("g"), mmap);
    EXPECT_EQ(Text(moved), "second");
  }
}

TEST_F(FileTest, ErrorsSayWhatIsWrong) {
  ASSERT_TRUE(WriteFile(Path("empty"), ""));
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const bool mmap : {true, false}) {
    EXPECT_EQ(OpenError(Path("none"), mmap), Path("none") + ": No such file or directory");
    EXPECT_EQ(OpenError(dir_.path(), mmap), dir_.path() + ": is a directory, not a file");
    EXPECT_EQ(OpenError(Path("empty"), mmap), Path("empty") + ": is empty");
    EXPECT_EQ(OpenError(Path("pipe"), mmap), Path("pipe") + ": is not a regular file");
  }
}

TEST_F(FileTest, NoPermissionIsAnError) {
  ASSERT_TRUE(WriteFile(Path("f"), "x"));
  fs::permissions(Path("f"), fs::perms::none);
  const bool root = geteuid() == 0;  // who may read everything
  if (root) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const std::string message = OpenError(Path("f"));
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_EQ(message, Path("f") + ": Permission denied");
}

// A file with a hole of a terabyte, and address space for less.
TEST_F(FileTest, TooLargeToMapIsAnError) {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  constexpr rlim_t kLimit = rlim_t{1} << 36;
  if (static_cast<rlim_t>(pages) > kLimit / 2 / 4096) {
    GTEST_SKIP() << "a sanitizer has taken more address space than the limit";
  }
  ASSERT_TRUE(WriteFile(Path("f"), "x"));
  fs::resize_file(Path("f"), std::uintmax_t{1} << 40);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit tight = {kLimit, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  rlimit taken;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &taken), 0);
  if (taken.rlim_cur != kLimit) GTEST_SKIP() << "an emulator that limits no address space";
  const std::string mapped = OpenError(Path("f"));
  const std::string read = OpenError(Path("f"), false);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(mapped, Path("f") + ": cannot map its 1099511627776 bytes: Cannot allocate memory");
  EXPECT_THAT(read, StartsWith(Path("f") + ": cannot hold its 1099511627776 bytes in memory: "));
}

TEST_F(FileTest, ManySmallPiecesAndLargeOnesArriveInOrder) {
  const std::string text = RandomText(5'000'000);
  FileWriter writer = *FileWriter::Create(Path("f"));
  std::mt19937 random(11);
  size_t at = 0;
  while (at < text.size()) {
    const size_t limit = random() % 50 == 0 ? 2'000'000 : 3'000;
    const size_t size = std::min(random() % limit, text.size() - at);
    ASSERT_TRUE(writer.Append(std::string_view(text).substr(at, size)));
    at += size;
    ASSERT_EQ(writer.size(), static_cast<int64_t>(at));
  }
  ASSERT_TRUE(writer.Commit());
  EXPECT_EQ(Text(*MappedFile::Open(Path("f"))), text);
}

TEST_F(FileTest, NothingChangesBeforeCommit) {
  ASSERT_TRUE(WriteFile(Path("f"), "old"));
  {
    FileWriter writer = *FileWriter::Create(Path("f"));
    ASSERT_TRUE(writer.Append(RandomText(2'000'000)));
    EXPECT_EQ(Text(*MappedFile::Open(Path("f"))), "old");
    FileWriter moved = std::move(writer);
  }
  EXPECT_EQ(Text(*MappedFile::Open(Path("f"))), "old");
  EXPECT_THAT(Names(), ::testing::ElementsAre("f"));
}

TEST_F(FileTest, CommitReplacesTheFileAndLeavesNothingElse) {
  ASSERT_TRUE(WriteFile(Path("f"), "old and longer"));
  ASSERT_TRUE(WriteFile(Path("f"), "new"));
  EXPECT_EQ(Text(*MappedFile::Open(Path("f"))), "new");
  EXPECT_THAT(Names(), ::testing::ElementsAre("f"));
}

TEST_F(FileTest, ALinkStaysALink) {
  ASSERT_TRUE(WriteFile(Path("f"), "old"));
  fs::create_symlink("f", Path("link"));
  ASSERT_TRUE(WriteFile(Path("link"), "new"));
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  EXPECT_EQ(Text(*MappedFile::Open(Path("f"))), "new");
}

// As /dev/stdout may be, which root could replace.
TEST_F(FileTest, ALinkToAFileWithoutANameStaysALink) {
  const int fd = open(Path("f").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_EQ(unlink(Path("f").c_str()), 0);
  fs::create_symlink(fmt::format("/proc/self/fd/{}", fd), Path("link"));
  ASSERT_TRUE(WriteFile(Path("link"), "text"));
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  char written[8];
  EXPECT_EQ(pread(fd, written, sizeof written, 0), 4);
  close(fd);
}

TEST_F(FileTest, WhatIsWrittenAnewKeepsItsMode) {
  ASSERT_TRUE(WriteFile(Path("f"), "old"));
  for (const fs::perms mode : {fs::perms{0600}, fs::perms{0666}, fs::perms{0755}}) {
    fs::permissions(Path("f"), mode);
    ASSERT_TRUE(WriteFile(Path("f"), "new"));
    EXPECT_EQ(fs::status(Path("f")).permissions(), mode);
  }
}

TEST_F(FileTest, WritingSaysWhatIsWrong) {
  EXPECT_EQ(FileWriter::Create(dir_.path()).error().message,
            dir_.path() + ": is a directory, not a file");
  EXPECT_EQ(FileWriter::Create(Path("no/f")).error().message,
            Path("no/f") + ": No such file or directory");
  const auto huge = FileWriter::Create(Path("f"), std::numeric_limits<int64_t>::max());
  ASSERT_FALSE(huge);
  EXPECT_THAT(
      huge.error().message,
      ::testing::MatchesRegex(Path("f") + ": would be of 9223372036854775807 bytes, and its "
                                          "disk has room for [0-9]+"));
  EXPECT_TRUE(FileWriter::Create(Path("f"), 1));
  EXPECT_THAT(Names(), ::testing::IsEmpty());
  const Status full = WriteFile("/dev/full", "x");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().message, "/dev/full: No space left on device");
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

}  // namespace
}  // namespace bitfetch
