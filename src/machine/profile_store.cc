// SPDX-License-Identifier: Apache-2.0
#include "machine/profile_store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/user_folder.h"
#include "machine/profile_json.h"

namespace bitfetch {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFileBytes = 1 << 20;  // a real one has some kilobytes

// Whether it was measured on a machine like this one. A folder may be shared among several, and a
// name like "Xeon Processor" by CPUs of several kinds.
bool FactsMatch(const MachineProfile& profile, const Topology& topology) {
  if (profile.cpu != topology.cpu) return false;
  return topology.cache_source == CacheSource::kDefault ||
         (profile.l1d_bytes == topology.l1d_bytes && profile.l2_bytes == topology.l2_bytes &&
          profile.l3_bytes == topology.l3_bytes);
}

}  // namespace

std::string ProfilePath() {
  const std::string folder = UserFolder("XDG_CACHE_HOME", ".cache");
  return folder.empty() ? "" : folder + "/profile.json";
}

LoadedProfile LoadProfile(const std::string& path, const Topology& topology,
                          std::string_view version) {
  std::error_code missing;
  if (path.empty() || !fs::exists(path, missing)) return {};
  const auto ignore = [&](const std::string& why) {
    return LoadedProfile{std::nullopt,
                         fmt::format("ignoring the machine profile {}: {}", path, why)};
  };
  std::error_code error;
  if (const auto size = fs::file_size(path, error); !error && size > kMaxFileBytes) {
    return ignore("it is far too long");
  }
  const auto file = MappedFile::Open(path, /*mmap=*/false);
  if (!file) return {std::nullopt, "no machine profile: " + file.error().message};
  const auto bytes = file->bytes();
  auto kept = ProfileFromJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, version);
  if (!kept) return ignore(kept.error().message);
  std::optional<MachineProfile>& profile = *kept;
  if (!profile || !FactsMatch(*profile, topology)) return {};
  int threads = 0;
  for (const ReadSpeed& read : profile->reads) threads = std::max(threads, read.threads);
  if (threads < topology.threads) return {};
  SetFacts(*profile, topology);
  return {std::move(profile), ""};
}

Status SaveProfile(const std::string& path, const MachineProfile& profile,
                   std::string_view version) {
  if (path.empty()) return Fail("neither XDG_CACHE_HOME nor HOME names a folder for the profile");
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return Fail("cannot make the folder of {}: {}", path, error.message());
  return WriteFile(path, ProfileToJson(profile, version));
}

}  // namespace bitfetch
