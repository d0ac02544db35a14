// SPDX-License-Identifier: Apache-2.0
#include "tier/disk_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "base/temp_dir.h"
#include "base/test_effort.h"
#include "tier/test_blocks.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

constexpr size_t kBytes = 1000;
constexpr int64_t kRecordBytes = kRecordHeaderBytes + kBytes;
constexpr int64_t kRecordOnDisk = 4096;

DiskStore Open(const std::string& folder, int64_t max_records = 100) {
  return DiskStore::Open(folder, max_records * kRecordOnDisk).value();
}

std::vector<DiskStore::Record> Records(const DiskStore& store) { return store.List().value(); }

// Of the disk, as the system counts it.
int64_t Held(const DiskStore& store) {
  int64_t bytes = 0;
  for (const auto& record : Records(store)) {
    struct stat status;  // one that just went takes nothing
    if (stat((store.folder() + "/" + record.file).c_str(), &status) == 0) {
      bytes += int64_t{status.st_blocks} * 512;
    }
  }
  return bytes;
}

class DiskStoreTest : public testing::Test {
 protected:
  std::string FileOf(const DiskStore& store, const TestBlock& block) {
    for (const auto& record : Records(store)) {
      const auto name = store.Check(record);
      if (name && name->key == block.name.key) return folder_ + "/" + record.file;
    }
    return {};
  }

  TempDir dir_;
  std::string folder_ = dir_.Path("kv");
};

TEST_F(DiskStoreTest, GivesBackWhatItWasGivenAlsoToTheNextProcess) {
  const std::vector<TestBlock> chain = TestChain(5, kBytes, 1);
  {
    DiskStore store = Open(folder_);
    for (const TestBlock& block : chain) ASSERT_TRUE(store.Write(block.name, block.bytes));
  }
  DiskStore store = Open(folder_);
  std::vector<BlockKey> keys = KeysOf(chain);
  keys.push_back(TestChain(1, kBytes, 2).front().name.key);
  EXPECT_EQ(store.Count(keys), 5);
  for (const TestBlock& block : chain) EXPECT_EQ(ReadBlock(store, block), block.bytes);
  for (const auto& record : Records(store)) EXPECT_TRUE(store.Check(record));
  struct stat status;
  ASSERT_EQ(stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(FileOf(store, chain[0]).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

// Where it may, the disk writes a block to its place itself.
TEST_F(DiskStoreTest, ReadsWhatTheSystemsMemoryHasNot) {
  alignas(4096) static std::array<std::byte, 8192 + 1> room;
  DiskStore store = Open(folder_);
  const auto forget = [](const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY);
    fdatasync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  };
  uint32_t seed = 1;
  for (const size_t bytes : {8192, 512, 8000}) {
    for (const size_t offset : {0, 1}) {
      const TestBlock block = TestChain(1, bytes, ++seed).front();
      ASSERT_TRUE(store.Write(block.name, block.bytes));
      const std::string path = FileOf(store, block);
      forget(path);
      const std::span<std::byte> to(room.data() + offset, bytes);
      std::ranges::fill(to, std::byte{0});
      bool has_arrived = false;
      const auto read = [&] {
        std::byte* const at = to.data();
        return store.Read({&block.name.key, 1}, {&at, 1}, bytes,
                          [&] { return has_arrived = true; });
      };
      EXPECT_TRUE(read()) << bytes << " at " << offset;
      EXPECT_TRUE(std::ranges::equal(to, block.bytes));

      const char last = static_cast<char>(block.bytes.back() ^ std::byte{1});
      std::fstream(path, std::ios::in | std::ios::out)
          .seekp(static_cast<std::streamoff>(bytes) - 1)
          .put(last);
      forget(path);
      EXPECT_TRUE(has_arrived);
      const Status damaged = read();
      ASSERT_FALSE(damaged);
      EXPECT_THAT(damaged.error().message, HasSubstr("checksum"));
    }
  }
}

// Against a list of keys in the order of their use, of which the room holds the last.
TEST_F(DiskStoreTest, NeverHoldsMoreThanItsRoomAndLetsTheOldestGo) {
  constexpr int kRoom = 20;
  DiskStore store = Open(folder_, kRoom);
  const std::vector<TestBlock> blocks = TestChain(60, kBytes, 3);
  std::mt19937 random(4);
  std::vector<size_t> used;  // the last one last
  for (int step = 0; step < Rounds(200); ++step) {
    const size_t which = random() % blocks.size();
    const TestBlock& block = blocks[which];
    if (random() % 2 == 0) {
      ASSERT_TRUE(store.Write(block.name, block.bytes));
    } else if (store.Count({&block.name.key, 1}) == 1) {
      store.Touch({&block.name.key, 1});
    } else {
      continue;
    }
    std::erase(used, which);
    used.push_back(which);
    ASSERT_LE(Held(store), kRoom * kRecordOnDisk);
    // A tenth more than needed may have gone.
    for (size_t i = 0; i < std::min<size_t>(used.size(), kRoom * 9 / 10); ++i) {
      ASSERT_EQ(ReadBlock(store, blocks[used[used.size() - 1 - i]]),
                blocks[used[used.size() - 1 - i]].bytes)
          << "step " << step << ", " << i << " uses ago";
    }
  }
}

// A chain that is wanted at once: what comes first is worth most.
TEST_F(DiskStoreTest, OfAChainTheLastGoFirst) {
  DiskStore store = Open(folder_, 20);
  const std::vector<TestBlock> chain = TestChain(20, kBytes, 11);
  std::vector<BlockKey> keys;
  for (const TestBlock& block : chain) {
    ASSERT_TRUE(store.Write(block.name, block.bytes));
    keys.push_back(block.name.key);
  }
  store.Touch(keys);
  const TestBlock other = TestChain(1, kBytes, 12).front();
  ASSERT_TRUE(store.Write(other.name, other.bytes));
  const int64_t left = store.Count(keys);
  EXPECT_EQ(left, std::ssize(Records(store)) - 1);
  EXPECT_GE(left, 18);
}

TEST_F(DiskStoreTest, SeveralStoresOfAFolderKeepToOneRoom) {
  constexpr int kRoom = 15;
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      DiskStore store = Open(folder_, kRoom);
      for (const TestBlock& block : TestChain(Rounds(80), kBytes, thread % 3)) {
        ASSERT_TRUE(store.Write(block.name, block.bytes));
        // Another may have let it go.
        ASSERT_EQ(ReadBlock(store, block).value_or(block.bytes), block.bytes);
        ASSERT_LE(Held(store), kRoom * kRecordOnDisk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(DiskStoreTest, WhatIsDamagedIsNeverReadAndRemovedWhenMet) {
  const TestBlock block = TestChain(1, kBytes, 5).front();
  const TestBlock other = TestChain(1, kBytes, 6).front();
  DiskStore store = Open(folder_);
  const auto damaged_by = [&](const auto& damage) {
    EXPECT_TRUE(store.Write(block.name, block.bytes));
    EXPECT_TRUE(store.Write(other.name, other.bytes));
    const std::string file = FileOf(store, block);
    damage(file, FileOf(store, other));
    Status read;
    EXPECT_EQ(ReadBlock(store, block, &read), std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(file)));
    return read ? "read" : read.error().message;
  };
  namespace fs = std::filesystem;
  EXPECT_THAT(
      damaged_by([](const auto& file, const auto&) { fs::resize_file(file, kRecordBytes - 1); }),
      HasSubstr("it has 1255 bytes where 1256 belong"));
  EXPECT_THAT(
      damaged_by([](const auto& file, const auto&) { fs::resize_file(file, kRecordBytes + 1); }),
      HasSubstr("1257"));
  EXPECT_THAT(damaged_by([](const auto& file, const auto&) { fs::resize_file(file, 0); }),
              HasSubstr("0 bytes"));
  EXPECT_THAT(damaged_by([](const auto& file, const auto&) {
                std::fstream(file, std::ios::in | std::ios::out).seekp(700).put('x');
              }),
              HasSubstr("checksum"));
  EXPECT_THAT(damaged_by([](const auto& file, const auto& another) {
                fs::copy_file(another, file, fs::copy_options::overwrite_existing);
              }),
              HasSubstr("another block's"));
  EXPECT_THAT(damaged_by([](const auto& file, const auto& another) {
                fs::remove(file);
                fs::create_symlink(another, file);
              }),
              HasSubstr("can't be read"));
  EXPECT_THAT(damaged_by([](const auto& file, const auto&) {
                fs::remove(file);
                mkfifo(file.c_str(), 0600);
              }),
              HasSubstr("not a regular file"));
  EXPECT_EQ(ReadBlock(store, other), other.bytes);
}

// As root alone, who may give folders away: a folder's mode does not tell that its owner is
// another.
TEST_F(DiskStoreTest, AFolderOfAnotherUserIsRefusedButNotToRoot) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make another user's folder";
  constexpr uid_t kUser = 65534, kOther = 65533;
  ASSERT_EQ(chmod(dir_.Path("").c_str(), 0755), 0);
  const std::string theirs = dir_.Path("theirs");
  std::filesystem::create_directory(theirs);
  ASSERT_EQ(chmod(theirs.c_str(), 0755), 0);
  const auto is_open_to_user = [&](uid_t owner) {
    EXPECT_EQ(chown(theirs.c_str(), owner, 0), 0);
    EXPECT_EQ(seteuid(kUser), 0);
    const auto opened = DiskStore::Open(theirs, 1);
    EXPECT_EQ(seteuid(0), 0);
    return opened || opened.error().message.find("another user's") == std::string::npos;
  };
  EXPECT_FALSE(is_open_to_user(kOther));
  EXPECT_TRUE(is_open_to_user(kUser));
  EXPECT_TRUE(is_open_to_user(0));
  EXPECT_EQ(chown(theirs.c_str(), kOther, 0), 0);
  EXPECT_TRUE(DiskStore::Open(theirs, 1));
}

TEST_F(DiskStoreTest, AFolderThatIsGoneOrNotOursIsAnErrorAndNothingElse) {
  const TestBlock block = TestChain(1, kBytes, 7).front();
  DiskStore store = Open(folder_);
  std::filesystem::remove_all(folder_);
  EXPECT_EQ(ReadBlock(store, block), std::nullopt);
  EXPECT_THAT(store.Write(block.name, block.bytes).error().message, HasSubstr(folder_));

  std::ofstream(dir_.Path("file")) << "x";
  EXPECT_FALSE(DiskStore::Open(dir_.Path("file"), 1));
  EXPECT_FALSE(DiskStore::Open(dir_.Path("no/such"), 1));
  std::filesystem::create_directory(dir_.Path("open"));
  chmod(dir_.Path("open").c_str(), 0777);
  EXPECT_THAT(DiskStore::Open(dir_.Path("open"), 1).error().message, HasSubstr("others may write"));
  std::filesystem::create_directories(dir_.Path("link"));
  std::filesystem::create_symlink("/etc/passwd", dir_.Path("link/usage"));
  DiskStore read_only = DiskStore::Open(dir_.Path("link"), 1 << 20).value();
  EXPECT_THAT(read_only.Write(block.name, block.bytes).error().message,
              HasSubstr("nothing can be written"));
}

// What now has the folder's name may be for others to read.
TEST_F(DiskStoreTest, NothingIsWrittenToAnotherFolderOfTheSameName) {
  const TestBlock block = TestChain(1, kBytes, 7).front();
  DiskStore store = Open(folder_);
  std::filesystem::rename(folder_, dir_.Path("moved"));
  std::filesystem::create_directory(folder_);
  ASSERT_TRUE(store.Write(block.name, block.bytes));
  EXPECT_EQ(ReadBlock(store, block), block.bytes);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  std::filesystem::remove_all(dir_.Path("moved"));
  EXPECT_THAT(store.Write(block.name, block.bytes).error().message, HasSubstr(folder_));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

// As a process does that is stopped while it writes.
TEST_F(DiskStoreTest, AFolderThatAnotherKeepsLockedIsGivenUpUntilItIsFree) {
  const std::vector<TestBlock> chain = TestChain(4, kBytes, 7);
  DiskStore store = Open(folder_);
  ASSERT_TRUE(store.Write(chain[0].name, chain[0].bytes));
  const int other = open((folder_ + "/usage").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  for (const TestBlock& block : std::span(chain).subspan(1)) {
    EXPECT_THAT(store.Write(block.name, block.bytes).error().message,
                HasSubstr("another process keeps this folder locked"));
  }
  EXPECT_THAT(store.Clear().error().message, HasSubstr("locked"));
  EXPECT_EQ(ReadBlock(store, chain[0]), chain[0].bytes);
  close(other);
  for (const TestBlock& block : chain) {
    ASSERT_TRUE(store.Write(block.name, block.bytes));
    EXPECT_EQ(ReadBlock(store, block), block.bytes);
  }
}

// As a crash of the system leaves them.
TEST_F(DiskStoreTest, RecordsThatWereCutAreWrittenAgain) {
  const std::vector<TestBlock> chain = TestChain(12, kBytes, 11);
  DiskStore store = Open(folder_);
  for (const TestBlock& block : chain) ASSERT_TRUE(store.Write(block.name, block.bytes));
  for (size_t i = 0; i < chain.size(); ++i) {
    const std::string file = FileOf(store, chain[i]);
    const auto left = static_cast<std::uintmax_t>(i * kRecordBytes / chain.size());
    std::filesystem::resize_file(file, left);
    if (i % 2 == 0) std::filesystem::resize_file(file, kRecordBytes);  // zeros
  }
  for (const TestBlock& block : chain) ASSERT_TRUE(store.Write(block.name, block.bytes));
  for (const auto& record : Records(store)) EXPECT_TRUE(store.Check(record));
  for (const TestBlock& block : chain) EXPECT_EQ(ReadBlock(store, block), block.bytes);
}

TEST_F(DiskStoreTest, AFolderInTheFolderIsLeftAloneAndInNobodysWay) {
  const std::vector<TestBlock> chain = TestChain(9, kBytes, 12);
  DiskStore store = Open(folder_, 4);
  const std::string folder = folder_ + "/" + DiskStore::FileName(chain[0].name.key);
  std::filesystem::create_directory(folder);
  EXPECT_FALSE(store.Write(chain[0].name, chain[0].bytes));
  for (const TestBlock& block : std::span(chain).subspan(1)) {
    ASSERT_TRUE(store.Write(block.name, block.bytes));
    EXPECT_LE(Held(store), 4 * kRecordOnDisk);
  }
  EXPECT_TRUE(store.Clear());
  EXPECT_EQ(Records(store).size(), 0u);
  EXPECT_TRUE(std::filesystem::exists(folder));
}

// A file with holes may be as large as the disk is not, and memory neither.
TEST_F(DiskStoreTest, ARecordThatIsLargerThanAnyBlockIsNotReadIntoMemory) {
  const TestBlock block = TestChain(1, kBytes, 13).front();
  DiskStore store = Open(folder_);
  ASSERT_TRUE(store.Write(block.name, block.bytes));
  const std::string path = FileOf(store, block);
  RecordHeader header;
  const uint64_t bytes = uint64_t{1} << 40;
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(pread(fd, header.data(), header.size(), kBytes), std::ssize(header));
  std::memcpy(header.data() + 192, &bytes, sizeof(bytes));
  const ssize_t written = pwrite(fd, header.data(), header.size(), static_cast<off_t>(bytes));
  close(fd);
  if (written < 0) GTEST_SKIP() << "this file system has no files of 1 TB";
  EXPECT_THAT(store.Check(Records(store).front()).error().message, HasSubstr("larger than any"));
}

TEST_F(DiskStoreTest, ClearRemovesRecordsAndNothingElse) {
  DiskStore store = Open(folder_);
  for (const TestBlock& block : TestChain(3, kBytes, 8)) {
    ASSERT_TRUE(store.Write(block.name, block.bytes));
  }
  std::ofstream(folder_ + "/letter.txt") << "mine";
  std::ofstream(folder_ + "/0123.kv") << "mine too";
  ASSERT_TRUE(store.Clear());
  EXPECT_EQ(Records(store).size(), 0u);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/letter.txt"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/0123.kv"));
}

TEST_F(DiskStoreTest, ABlockLargerThanTheRoomIsNotKept) {
  DiskStore store = DiskStore::Open(folder_, kRecordOnDisk - 1).value();
  const TestBlock block = TestChain(1, kBytes, 9).front();
  EXPECT_TRUE(store.Write(block.name, block.bytes));
  EXPECT_EQ(Held(store), 0);
}

// A writer that is killed at any moment leaves whole records, what it wrote aside, and a count that
// is not too small.
TEST_F(DiskStoreTest, AWriterThatIsKilledSpoilsNothing) {
  constexpr int kRoom = 12;
  std::mt19937 random(10);
  for (int round = 0; round < Rounds(120); ++round) {
    const std::vector<TestBlock> chain = TestChain(40, kBytes, round % 5);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      DiskStore store = Open(folder_, kRoom);
      for (const TestBlock& block : chain) (void)store.Write(block.name, block.bytes);
      _exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);

    DiskStore store = Open(folder_, kRoom);
    for (const auto& record : Records(store)) {
      if (record.is_whole) {
        const auto checked = store.Check(record);
        ASSERT_TRUE(checked) << checked.error().message;
      }
    }
    for (const TestBlock& block : chain) {
      ASSERT_EQ(ReadBlock(store, block).value_or(block.bytes), block.bytes);
    }
    ASSERT_LE(Held(store), kRoom * kRecordOnDisk);
  }
}

}  // namespace
}  // namespace bitfetch
