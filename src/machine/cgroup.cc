// SPDX-License-Identifier: Apache-2.0
#include "machine/cgroup.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {
namespace {

// Paths are strings: libstdc++'s filesystem::path crashes where memory runs out.

std::optional<int64_t> ParseNumber(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

// The first `n` words of a file, or fewer.
std::vector<std::string> ReadWords(const std::string& file, size_t n) {
  std::ifstream in(file);
  std::vector<std::string> words;
  for (std::string word; words.size() < n && in >> word;) words.push_back(word);
  return words;
}

std::optional<int64_t> ReadNumber(const std::string& file) {
  const auto words = ReadWords(file, 1);
  return words.empty() ? std::nullopt : ParseNumber(words[0]);
}

template <class T>
void LowerTo(std::optional<T>& limit, T value) {
  limit = limit ? std::min(*limit, value) : value;
}

bool HasWord(const std::string& list, std::string_view word) {
  std::stringstream in(list);
  for (std::string item; std::getline(in, item, ',');) {
    if (item == word) return true;
  }
  return false;
}

struct Mount {
  std::string at;    // where it is mounted
  std::string root;  // the group that is seen there
};

// The mount of cgroup v2 ("") or of a v1 controller.
std::optional<Mount> FindMount(const std::string& root, const std::string& controller) {
  std::ifstream in(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    // ID PARENT DEVICE ROOT MOUNTPOINT OPTIONS [FIELDS]... - TYPE SOURCE SUPER_OPTIONS (proc(5))
    std::stringstream fields(line);
    std::string skip, group, at, type, super;
    fields >> skip >> skip >> skip >> group >> at;
    while (fields >> skip && skip != "-") {
    }
    fields >> type >> skip >> super;
    if (controller.empty() ? type == "cgroup2" : type == "cgroup" && HasWord(super, controller)) {
      return Mount{root + at, group};
    }
  }
  return std::nullopt;
}

// This process' group in a hierarchy and every one above it, as folders.
std::vector<std::string> GroupFolders(const std::string& root, const std::string& controller) {
  std::string group;
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    // ID:CONTROLLERS:PATH; v2 has ID 0 and no controllers (cgroups(7))
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? line.starts_with("0::") : HasWord(controllers, controller)) {
      group = line.substr(second + 1);
    }
  }
  const std::optional<Mount> mount = FindMount(root, controller);
  if (group.empty() || !mount) return {};

  // In a container the mount shows only the part below its own root, and maybe not this group.
  std::string_view below = group;
  if (mount->root != "/") {
    const bool inside = below.starts_with(mount->root);
    below = inside ? below.substr(mount->root.size()) : std::string_view();
  }
  if (!below.starts_with('/') || below == "/" || below.starts_with("/..")) below = {};
  std::vector<std::string> folders = {fmt::format("{}{}", mount->at, below)};
  while (folders.back().size() > mount->at.size()) {
    folders.push_back(folders.back().substr(0, folders.back().rfind('/')));
  }
  return folders;
}

int64_t FileCacheBytes(const std::string& folder) {
  std::ifstream in(folder + "/memory.stat");
  std::map<std::string, int64_t> stat;
  std::string key;
  for (int64_t value; in >> key >> value;) stat[key] = value;
  const std::string total = stat.contains("total_inactive_file") ? "total_" : "";  // v1
  return stat[total + "inactive_file"] + stat[total + "active_file"];
}

void LimitMemory(CgroupLimits& limits, const std::string& folder, const char* max,
                 const char* used) {
  const auto bytes = ReadNumber(folder + "/" + max);
  // v1 has no "max": its absence of a limit is a number near 2^63.
  if (!bytes || *bytes < 0 || *bytes > int64_t{1} << 60) return;
  const int64_t taken = ReadNumber(folder + "/" + used).value_or(0) - FileCacheBytes(folder);
  LowerTo(limits.memory_bytes, *bytes);
  LowerTo(limits.memory_left, std::clamp<int64_t>(*bytes - taken, 0, *bytes));
}

void LimitCpus(CgroupLimits& limits, std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return;
  LowerTo(limits.cpus, static_cast<double>(*quota) / static_cast<double>(*period));
}

}  // namespace

CgroupLimits ReadCgroupLimits(const std::string& root) {
  CgroupLimits limits;
  for (const std::string& folder : GroupFolders(root, "")) {
    const auto cpu = ReadWords(folder + "/cpu.max", 2);  // "max 100000" or "150000 100000"
    if (cpu.size() == 2) LimitCpus(limits, ParseNumber(cpu[0]), ParseNumber(cpu[1]));
    LimitMemory(limits, folder, "memory.max", "memory.current");
  }
  for (const std::string& folder : GroupFolders(root, "cpu")) {
    LimitCpus(limits, ReadNumber(folder + "/cpu.cfs_quota_us"),
              ReadNumber(folder + "/cpu.cfs_period_us"));
  }
  for (const std::string& folder : GroupFolders(root, "memory")) {
    LimitMemory(limits, folder, "memory.limit_in_bytes", "memory.usage_in_bytes");
  }
  return limits;
}

}  // namespace bitfetch
