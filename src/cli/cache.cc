// SPDX-License-Identifier: Apache-2.0
#include <fmt/chrono.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "tier/disk_store.h"

namespace bitfetch {
namespace {

using Record = DiskStore::Record;

// Of a folder that is there: none is made for who only asks.
Result<DiskStore> OpenStore(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) {
    return Fail("{}: there is no such folder", folder);
  }
  return DiskStore::Open(folder, DiskStore::kDefaultMaxBytes);
}

std::string TimeText(int64_t ns) {
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(ns / 1'000'000'000));
}

Result<int> RunInfo(const std::string& folder) {
  BITFETCH_ASSIGN_OR_RETURN(const DiskStore store, OpenStore(folder));
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<Record> records, store.List());
  double bytes = 0;
  for (const Record& record : records) bytes += static_cast<double>(record.bytes);
  Facts facts;
  facts.Add("KV cache in", "{}", folder);
  facts.Add("records", "{}, of {} tokens each", records.size(), kTileTokens);
  facts.Add("size", "{}", BytesText(bytes));
  if (!records.empty()) {
    const auto [first, last] = std::ranges::minmax(records, {}, &Record::used_ns);
    facts.Add("last wanted", "between {} and {}", TimeText(first.used_ns), TimeText(last.used_ns));
  }
  return Printed(facts.text());
}

Result<int> RunVerify(const std::string& folder) {
  BITFETCH_ASSIGN_OR_RETURN(const DiskStore store, OpenStore(folder));
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<Record> records, store.List());
  ProgressLine line;
  const Progress progress = line.Percent("reading the records");
  int64_t read = 0;
  std::vector<std::string> broken;
  for (const Record& record : records) {
    if (record.is_whole) {
      if (const auto checked = store.Check(record); !checked) {
        broken.push_back(checked.error().message);
      }
    }
    progress(++read, std::ssize(records));
  }
  line.Clear();
  for (const std::string& what : broken) BITFETCH_RETURN_IF_ERROR(Print(what + "\n"));
  if (!broken.empty()) {
    return Fail(
        "{}: {} of {} records are damaged: they are not used, and removed when they are met",
        folder, broken.size(), records.size());
  }
  return Printed(fmt::format("{} records, all whole\n", records.size()));
}

Result<int> RunClear(const std::string& folder) {
  BITFETCH_ASSIGN_OR_RETURN(DiskStore store, OpenStore(folder));
  BITFETCH_RETURN_IF_ERROR(store.Clear());
  return Printed("the folder holds no KV any more\n");
}

void AddAction(Command& cache, const std::string& name, const std::string& summary,
               Result<int> (*run)(const std::string&)) {
  const auto folder = std::make_shared<std::string>();
  Command& command = cache.Add(
      name, {.usage = "--cache-dir DIR",
             .summary = summary,
             .more = "example:\n  bitfetch cache " + name + " --cache-dir ~/.cache/bitfetch/kv"});
  command
      .AddPath("--cache-dir", "DIR", "the folder, as generate, chat and serve have it",
               folder.get())
      .Required();
  command.SetRun([folder, run] { return run(*folder); });
}

}  // namespace

void AddCache(Command& program) {
  Command& command = program.Add(
      "cache",
      {.usage = "info|verify|clear --cache-dir DIR",
       .summary = "look after a folder of KV that outlives its runs",
       .more =
           R"(`bitfetch generate --cache-dir DIR` keeps there what it computed of a prompt, and a prompt that
begins with the same tokens goes on from it.

example:
  bitfetch cache info --cache-dir ~/.cache/bitfetch/kv)"});
  AddAction(command, "info", "say what the folder holds", RunInfo);
  AddAction(command, "verify", "read all records and name the damaged ones", RunVerify);
  AddAction(command, "clear", "remove all records", RunClear);
}

}  // namespace bitfetch
