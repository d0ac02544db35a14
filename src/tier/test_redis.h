// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_TEST_REDIS_H_
#define BITFETCH_TIER_TEST_REDIS_H_

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "base/temp_dir.h"
#include "tier/redis_connection.h"
#include "tier/test_socket.h"

namespace bitfetch {

// For tests: Debian's Redis on a free port of this machine, which ends with its owner. It comes
// with redis-tools, under the name of one of them: redis-server's package would start a service.
class TestRedis {
 public:
  explicit TestRedis(std::vector<std::string> options = {}) : options_(std::move(options)) {
    Start();
  }
  ~TestRedis() { Kill(); }
  TestRedis(const TestRedis&) = delete;
  TestRedis& operator=(const TestRedis&) = delete;

  RedisAddress address() const { return {.host = "127.0.0.1", .port = port_}; }

  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void Stop() const { kill(pid_, SIGSTOP); }
  void GoOn() const { kill(pid_, SIGCONT); }

  // On the same port, when it is free again; returns when it answers.
  void Start() {
    if (port_ == 0) port_ = FreePort();
    std::vector<std::string> words = {
        "redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1",
        "--save",       "",       "--daemonize",         "no",     "--dir",
        folder_.path()};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int nowhere = open("/dev/null", O_RDWR);
      for (int fd = 0; fd < 3; ++fd) dup2(nowhere, fd);
      execv("/usr/bin/redis-check-rdb", arguments.data());
      _exit(127);
    }
    for (int i = 0; i < 1000 && !Answers(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  bool Answers() const {
    return RedisConnection::Open(address(), 0,
                                 std::chrono::steady_clock::now() + std::chrono::seconds(1))
        .has_value();
  }

  TempDir folder_;
  std::vector<std::string> options_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_TEST_REDIS_H_
