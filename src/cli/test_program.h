// SPDX-License-Identifier: Apache-2.0
// For tests: runs the program as a user does.
#ifndef BITFETCH_CLI_TEST_PROGRAM_H_
#define BITFETCH_CLI_TEST_PROGRAM_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cli/other_programs.h"

namespace bitfetch {

struct Finished {
  int code;  // of the exit; minus the signal's number if one ended it
  std::string out;
  std::string err;
};

// What `bitfetch` goes on as with these arguments: under an emulator no program starts another.
inline std::string ProgramOf(const std::vector<std::string>& arguments) {
  const OtherProgram* other = arguments.empty() ? nullptr : FindOtherProgram(arguments[0]);
  std::filesystem::path path = BITFETCH_PROGRAM;
  if (other != nullptr) path.replace_filename(other->program);
  return path;
}

// The program while it runs. What it writes is read all the time.
class Program {
 public:
  // `stdout_to`: a file to open in place of a pipe that is read. Of the pipe no more is read than
  // `max_out` and what comes with it; then its end is closed. `terminal`: what stdin and
  // stderr are in place of pipes.
  explicit Program(const std::vector<std::string>& arguments, const std::string& stdout_to = "",
                   size_t max_out = SIZE_MAX, const std::function<void()>& prepare = {}) {
    std::vector<std::string> words;
    std::istringstream emulator(BITFETCH_EMULATOR);
    for (std::string word; std::getline(emulator, word, '|');) words.push_back(word);
    words.push_back(ProgramOf(arguments));
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
      std::abort();
    }
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      // Whatever this test was started to ignore.
      for (const int number : {SIGPIPE, SIGINT, SIGHUP, SIGTERM}) signal(number, SIG_DFL);
      if (!stdout_to.empty()) out[1] = open(stdout_to.c_str(), O_WRONLY | O_NOCTTY);
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      if (prepare) prepare();
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    stdin_ = in[1];
    out_reader_ = std::thread([=, this] { Read(out[0], max_out, &out_); });
    err_reader_ = std::thread([=, this] { Read(err[0], SIZE_MAX, &err_); });
  }

  ~Program() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
  }

  void Write(std::string_view text) {
    signal(SIGPIPE, SIG_IGN);
    if (write(stdin_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      ADD_FAILURE() << "the program does not read its stdin";
    }
  }
  void CloseStdin() {
    if (stdin_ >= 0) close(std::exchange(stdin_, -1));
  }
  void Signal(int number) { kill(pid_, number); }
  pid_t pid() const { return pid_; }

  // Waits until stdout has at least so many bytes, or ended.
  std::string WaitForOut(size_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return out_.size() >= bytes || ended_ == 2; });
    return out_;
  }
  // Waits until stderr holds `text`, or ended.
  bool WaitForErr(std::string_view text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return err_.find(text) != std::string::npos || ended_ == 2; });
    return err_.find(text) != std::string::npos;
  }

  Finished Wait() {
    CloseStdin();
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    out_reader_.join();
    err_reader_.join();
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return {code, out_, err_};
  }

 private:
  void Read(int fd, size_t max_bytes, std::string* to) {
    char piece[4096];
    for (ssize_t got; to->size() < max_bytes && (got = read(fd, piece, sizeof piece)) > 0;) {
      const std::lock_guard lock(mutex_);
      to->append(piece, static_cast<size_t>(got));
      changed_.notify_all();
    }
    close(fd);
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  pid_t pid_ = -1;
  int stdin_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string out_, err_;
  int ended_ = 0;
  std::thread out_reader_, err_reader_;
};

inline Finished RunProgram(const std::vector<std::string>& arguments, std::string_view input = "",
                           const std::string& stdout_to = "") {
  Program program(arguments, stdout_to);
  if (!input.empty()) program.Write(input);
  return program.Wait();
}

inline int Lines(std::string_view text) {
  int lines = 0;
  for (const char c : text) lines += c == '\n';
  return lines;
}

// One line "error: ..." on stderr, nothing on stdout, exit code 1.
inline void ExpectError(const Finished& finished, std::string_view part) {
  EXPECT_EQ(finished.code, 1) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(finished.err.rfind("error: ", 0), 0u) << finished.err;
  EXPECT_EQ(Lines(finished.err), 1) << finished.err;
  EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;
}

}  // namespace bitfetch

#endif  // BITFETCH_CLI_TEST_PROGRAM_H_
