// SPDX-License-Identifier: Apache-2.0
#include "base/temporary_file.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <set>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"

namespace bitfetch {
namespace {

namespace fs = std::filesystem;

class TemporaryFileTest : public ::testing::Test {
 protected:
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  std::unique_ptr<TemporaryFile> Create(const std::string& name) {
    int fd = -1;
    auto file = TemporaryFile::Create(dir_.Path(name), 0600, &fd);
    if (file) close(fd);
    return file;
  }

  // Runs `body` in a process of its own, which SIGTERM ends by RemoveTemporaryFiles; true if it
  // ended so.
  template <class Body>
  static bool EndsByHandler(Body body) {
    const pid_t child = fork();
    if (child == 0) {
      std::signal(SIGTERM, [](int) {
        RemoveTemporaryFiles();
        _exit(7);
      });
      body();
      _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 7;
  }

  TempDir dir_;
};

TEST_F(TemporaryFileTest, IsGoneInTheEndUnlessItWasMoved) {
  {
    const auto gone = Create("gone");
    const auto kept = Create("before");
    EXPECT_THAT(Names(), ::testing::ElementsAre("before", "gone"));
    EXPECT_TRUE(kept->MoveTo(dir_.Path("kept")));
  }
  EXPECT_THAT(Names(), ::testing::ElementsAre("kept"));
}

TEST_F(TemporaryFileTest, AFolderIsGoneIfItIsEmpty) {
  const auto make = [&](const std::string& name, bool full) {
    const TemporaryFile folder(dir_.Path(name));
    fs::create_directory(dir_.Path(name));
    if (full) (void)WriteFile(dir_.Path(name + "/file"), "text");
  };
  make("empty", false);
  make("full", true);
  EXPECT_THAT(Names(), ::testing::ElementsAre("full"));

  EXPECT_TRUE(EndsByHandler([&] {
    const TemporaryFile outer(dir_.Path("outer"));
    const TemporaryFile inner(dir_.Path("outer/inner"));
    fs::create_directories(dir_.Path("outer/inner"));
    const auto file = Create("outer/inner/file");
    raise(SIGTERM);
  }));
  EXPECT_THAT(Names(), ::testing::ElementsAre("full"));
}

TEST_F(TemporaryFileTest, WhatWasThereIsNotTaken) {
  ASSERT_TRUE(WriteFile(dir_.Path("f"), "mine"));
  EXPECT_EQ(Create("f"), nullptr);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(Create("no/f"), nullptr);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_THAT(Names(), ::testing::ElementsAre("f"));
}

TEST_F(TemporaryFileTest, AHandlerRemovesThoseThatThereAre) {
  EXPECT_TRUE(EndsByHandler([&] {
    const auto first = Create("first");
    auto second = Create("second");
    const auto third = Create("third");
    const TemporaryFile later(dir_.Path("later"));
    (void)WriteFile(dir_.Path("later"), "text");
    (void)first->MoveTo(dir_.Path("moved"));
    second.reset();
    FileWriter half = *FileWriter::Create(dir_.Path("half"));
    (void)WriteFile(dir_.Path("whole"), "text");
    raise(SIGTERM);
  }));
  EXPECT_THAT(Names(), ::testing::ElementsAre("moved", "whole"));
}

// Whatever the threads are about when the signal comes, and whichever takes it.
TEST_F(TemporaryFileTest, AHandlerLeavesNothingOfBusyThreads) {
  for (int round = 0; round < 5; ++round) {
    EXPECT_TRUE(EndsByHandler([&] {
      std::atomic<int> made{0};
      std::vector<std::thread> threads;
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&, i] {
          while (true) {
            const auto file = Create(std::to_string(i));
            ++made;
          }
        });
      }
      while (made < 20 + round * 7) std::this_thread::yield();
      kill(getpid(), SIGTERM);
      pause();
    }));
    ASSERT_THAT(Names(), ::testing::IsEmpty()) << round;
  }
}

}  // namespace
}  // namespace bitfetch
