// SPDX-License-Identifier: Apache-2.0
// How signals end the program, and that nothing half-written is left.
#include "cli/interrupt.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/sanitized.h"
#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

class InterruptTest : public ::testing::Test {
 protected:
  InterruptTest() { setenv("XDG_CACHE_HOME", cache_.path().c_str(), 1); }

  bool Empty() const { return std::filesystem::is_empty(dir_.path()); }
  void WaitForAFile() const {
    while (Empty()) usleep(1000);
  }

  // Takes seconds.
  std::vector<std::string> Synth() const {
    return {"synth", "-o", dir_.Path("large.gguf"), "--shape", "bitnet-2b4t"};
  }
  std::vector<std::string> Logits() const {
    std::string tokens = "5";
    for (int i = 0; i < 4'000; ++i) tokens += ",5";
    return {"logits", "-m", kModel, "--tokens", tokens, "-c", "5000", "-o", dir_.Path("out")};
  }

  void ExpectEnd(const std::vector<std::string>& command, int number, int code) const {
    Program program(command, "", SIZE_MAX, [] {
      const rlimit none = {0, 0};
      setrlimit(RLIMIT_CORE, &none);
    });
    WaitForAFile();
    program.Signal(number);
    EXPECT_EQ(program.Wait().code, code) << command[0];
    EXPECT_TRUE(Empty()) << command[0] << ' ' << number;
  }

  TempDir dir_;
  TempDir cache_;
};

TEST_F(InterruptTest, EverySignalThatEndsItLeavesNoHalfWrittenFile) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    for (const auto& command : {Synth(), Logits()}) ExpectEnd(command, number, 128 + number);
  }
  for (const int number : {SIGXCPU, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM}) {
    ExpectEnd(Synth(), number, -number);
  }
  // The emulator and the sanitizers have a use of their own for these.
  if (kIsSanitized || !std::string_view(BITFETCH_EMULATOR).empty()) return;
  for (const int number : {SIGABRT, SIGBUS, SIGSEGV, SIGIO, SIGRTMIN, SIGRTMAX}) {
    ExpectEnd(Logits(), number, -number);
  }
}

TEST_F(InterruptTest, WheneverItComes) {
  for (int milliseconds = 20; milliseconds < 300; milliseconds += 70) {
    Program program(Synth());
    WaitForAFile();
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    program.Signal(SIGINT);
    program.Signal(SIGTERM);
    EXPECT_THAT(program.Wait().code, ::testing::AnyOf(130, 143));
    EXPECT_TRUE(Empty()) << milliseconds;
  }
}

TEST_F(InterruptTest, TerminationEndsWhatCtrlCOnlyStops) {
  Program generate(
      {"generate", "-m", kModel, "-p", "In the", "-n", "2000", "-c", "5000", "--prefetch", "off"});
  generate.WaitForOut(1);
  generate.Signal(SIGTERM);
  EXPECT_EQ(generate.Wait().code, 143);

  Program chat({"chat", "-m", kModel, "--prefetch", "off"});
  chat.Write("/help\n");
  ASSERT_TRUE(chat.WaitForErr("/clear"));
  chat.Signal(SIGHUP);
  EXPECT_EQ(chat.Wait().code, 129);
}

TEST_F(InterruptTest, WhatItWasStartedToIgnoreStaysIgnored) {
  Program chat({"chat", "-m", kModel, "--prefetch", "off"}, "", SIZE_MAX, [] {
    for (const int number : {SIGINT, SIGHUP, SIGTERM}) std::signal(number, SIG_IGN);
  });
  for (const int number : {SIGINT, SIGHUP, SIGTERM, SIGINT}) {
    chat.Write("/help\n");
    ASSERT_TRUE(chat.WaitForErr("/clear"));
    chat.Signal(number);
  }
  chat.Write("/exit\n");
  const Finished finished = chat.Wait();
  EXPECT_EQ(finished.code, 0);
  EXPECT_EQ(finished.err.find("Ctrl-C once more"), std::string::npos);
}

TEST_F(InterruptTest, ALimitOfFileSizeIsAnError) {
  Program program(Synth(), "", SIZE_MAX, [] {
    const rlimit limit = {3 << 20, 3 << 20};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  ExpectError(program.Wait(), dir_.Path("large.gguf") + ": File too large");
  EXPECT_TRUE(Empty());
}

// Where a signal without a handler does nothing.
TEST_F(InterruptTest, TheFirstProcessOfAContainerEndsToo) {
  if (!std::string_view(BITFETCH_EMULATOR).empty()) GTEST_SKIP() << "the emulator is that process";
  constexpr int kNotPermitted = 125;
  for (const int number : {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1}) {
    Program program(Synth(), "", SIZE_MAX, [] {
      if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
        _exit(kNotPermitted);
      }
      const pid_t first = fork();
      if (first == 0) return;
      int status = 0;
      waitpid(first, &status, 0);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    });
    const auto started = std::chrono::steady_clock::now();
    pid_t first = 0;
    while (first == 0 && std::chrono::steady_clock::now() - started < std::chrono::seconds(20)) {
      std::ifstream(fmt::format("/proc/{0}/task/{0}/children", program.pid())) >> first;
      if (!Empty()) continue;
      first = 0;
      siginfo_t ended = {};
      waitid(P_PID, static_cast<id_t>(program.pid()), &ended, WEXITED | WNOHANG | WNOWAIT);
      if (ended.si_pid != 0) break;
      usleep(1000);
    }
    if (first == 0 && program.Wait().code == kNotPermitted) {
      GTEST_SKIP() << "a namespace of processes is not permitted here";
    }
    ASSERT_GT(first, 0);
    kill(first, number);
    EXPECT_EQ(program.Wait().code, 128 + number);
    EXPECT_TRUE(Empty());
  }
}

}  // namespace
}  // namespace bitfetch
