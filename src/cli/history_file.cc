// SPDX-License-Identifier: Apache-2.0
#include "cli/history_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/errno_text.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/user_folder.h"

namespace bitfetch {
namespace {

constexpr int kMaxTexts = 1000;
constexpr std::string_view kHead = "_HiStOrY_V2_\n";

// A line of the file: other bytes than printable ones without a meaning as \ooo.
std::string Line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (IsPrintableAscii({&c, 1}) && c != ' ' && c != '\\') {
      line += c;
    } else {
      line += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    }
  }
  return line + '\n';
}

}  // namespace

HistoryFile::HistoryFile() : history_(history_winit()) {
  HistEventW event;
  history_w(history_, &event, H_SETSIZE, kMaxTexts);
  history_w(history_, &event, H_SETUNIQUE, 1);
  const std::string folder = UserFolder("XDG_STATE_HOME", ".local/state");
  if (folder.empty()) return;
  path_ = folder + "/history";
  std::error_code error;
  std::filesystem::create_directories(folder, error);  // what fails shows when it is opened
  if (history_w(history_, &event, H_LOAD, path_.c_str()) > kMaxTexts) {
    history_w(history_, &event, H_SAVE, path_.c_str());
  }
}

HistoryFile::~HistoryFile() { history_wend(history_); }

void HistoryFile::Add(const std::string& text, const std::wstring& wide) {
  HistEventW event;
  if (history_w(history_, &event, H_ENTER, wide.c_str()) <= 0 || path_.empty()) return;
  // Appended, where libedit would write the whole file anew: chats at the same time keep each
  // other's texts.
  const int fd = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const std::string line =
      fmt::format("{}{}", lseek(fd, 0, SEEK_END) == 0 ? kHead : "", Line(text));
  if (fd < 0 || write(fd, line.data(), line.size()) < 0) {
    Warn("the history is not kept: {}: {}", path_, ErrnoText());
    path_.clear();
  }
  if (fd >= 0) close(fd);
}

}  // namespace bitfetch
