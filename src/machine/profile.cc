// SPDX-License-Identifier: Apache-2.0
#include "machine/profile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>

namespace bitfetch {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 3> kSourceNames = {"default", "quick", "tune"};

// Calls visit(name, value, lowest, highest) for every number of a profile.
template <class Profile, class Visit>
void VisitNumbers(Profile& profile, Visit&& visit) {
  visit("cores", profile.cores, 1, 1 << 16);
  visit("l1d_bytes", profile.l1d_bytes, 1 << 10, 1 << 24);
  visit("l2_bytes", profile.l2_bytes, 1 << 10, 1 << 30);
  visit("l3_bytes", profile.l3_bytes, 0, int64_t{1} << 36);
  visit("latency_ns", profile.latency_ns, 1, 1e5);
  visit("latency_4k_ns", profile.latency_4k_ns, 1, 1e5);
  visit("loaded_latency_ns", profile.loaded_latency_ns, 1, 1e5);
  visit("jitter_ns", profile.jitter_ns, 0, 1e5);
  visit("misses_in_flight", profile.misses_in_flight, 1, 1000);
  for (auto& read : profile.reads) {
    visit("reads: threads", read.threads, 1, 1 << 16);
    visit("reads: width_bytes", read.width_bytes, 1, 1 << 10);
    visit("reads: streams", read.streams, 0, 1 << 10);
    visit("reads: bytes_per_s", read.bytes_per_s, 1e6, 1e14);
  }
  for (auto& gain : profile.gains) {
    visit("gains: streams", gain.streams, 1, 1 << 10);
    visit("gains: contiguous", gain.contiguous, 1e-3, 1e3);
    visit("gains: paged", gain.paged, 1e-3, 1e3);
  }
}

// Reads the fields of one JSON object, and remembers the first thing that is wrong.
class Fields {
 public:
  Fields(const Json& json, std::string_view what) : json_(json), what_(what) {
    if (!json.is_object()) error_ = Error{fmt::format("{} is no object", what)};
  }

  void Get(const char* key, std::string& value) {
    if (const Json* at = Find(key, &Json::is_string, "text")) value = *at;
  }
  void Get(const char* key, bool& value) {
    if (const Json* at = Find(key, &Json::is_boolean, "true or false")) value = *at;
  }
  void Get(const char* key, double& value) {
    if (const Json* at = Find(key, &Json::is_number, "a number")) value = *at;
  }
  void Get(const char* key, int64_t& value) {
    if (const Json* at = Find(key, &Json::is_number_integer, "a whole number")) value = *at;
  }
  void Get(const char* key, int& value) {
    int64_t wide = 0;
    Get(key, wide);
    value = static_cast<int>(std::clamp<int64_t>(wide, -1, 1 << 30));
  }

  // Calls read(fields) for each object of an array.
  template <class Read>
  void GetEach(const char* key, Read&& read) {
    const Json* at = Find(key, &Json::is_array, "a list");
    if (at == nullptr) return;
    for (const Json& item : *at) {
      Fields fields(item, key);
      read(fields);
      if (const Status status = fields.Finish(); !status) Refuse(status.error());
    }
  }

  // An error if anything was wrong, or if there are fields that nothing asked for.
  Status Finish() {
    if (!error_ && json_.size() != found_) error_ = Error{fmt::format("{}: unknown fields", what_)};
    if (error_) return tl::unexpected(*error_);
    return {};
  }

  void Refuse(const Error& error) {
    if (!error_) error_ = error;
  }

 private:
  using Test = bool (Json::*)() const noexcept;

  const Json* Find(const char* key, Test test, std::string_view type) {
    if (!json_.is_object()) return nullptr;
    const auto at = json_.find(key);
    if (at == json_.end()) {
      Refuse({fmt::format("{}: {} is missing", what_, key)});
      return nullptr;
    }
    ++found_;
    if (!((*at).*test)()) {
      Refuse({fmt::format("{}: {} is not {}", what_, key, type)});
      return nullptr;
    }
    return &*at;
  }

  const Json& json_;
  std::string_view what_;
  size_t found_ = 0;
  std::optional<Error> error_;
};

}  // namespace

std::string_view ProfileSourceName(ProfileSource source) {
  return kSourceNames[static_cast<size_t>(source)];
}

void SetFacts(MachineProfile& profile, const Topology& topology) {
  profile.cpu = topology.cpu;
  profile.cores = topology.cores;
  profile.l1d_bytes = topology.l1d_bytes;
  profile.l2_bytes = topology.l2_bytes;
  profile.l3_bytes = topology.l3_bytes;
}

MachineProfile DefaultProfile(const Topology& topology) {
  MachineProfile profile;
  SetFacts(profile, topology);
  return profile;
}

Status CheckProfile(const MachineProfile& profile) {
  if (profile.reads.empty()) return Fail("reads is empty");
  if (profile.gains.empty()) return Fail("gains is empty");
  Status status;
  VisitNumbers(profile, [&](const char* name, auto value, auto low, auto high) {
    if (status && !(value >= low && value <= high)) {  // NaN is not
      status = Fail("{} is {}, and can only be from {} to {}", name, value, low, high);
    }
  });
  return status;
}

MachineProfile ClampProfile(const MachineProfile& profile) {
  const MachineProfile usual;
  MachineProfile sane = profile;
  const auto broken = [](double value) { return std::isnan(value); };
  if (broken(sane.latency_ns)) sane.latency_ns = usual.latency_ns;
  if (broken(sane.latency_4k_ns)) sane.latency_4k_ns = usual.latency_4k_ns;
  if (broken(sane.loaded_latency_ns)) sane.loaded_latency_ns = usual.loaded_latency_ns;
  if (broken(sane.jitter_ns)) sane.jitter_ns = usual.jitter_ns;
  if (broken(sane.misses_in_flight)) sane.misses_in_flight = usual.misses_in_flight;
  std::erase_if(sane.reads, [&](const ReadSpeed& read) { return broken(read.bytes_per_s); });
  std::erase_if(sane.gains, [&](const StreamGain& gain) {
    return broken(gain.contiguous) || broken(gain.paged);
  });
  if (sane.reads.empty()) sane.reads = usual.reads;
  if (sane.gains.empty()) sane.gains = usual.gains;
  VisitNumbers(sane, [](const char*, auto& value, auto low, auto high) {
    using Number = std::remove_reference_t<decltype(value)>;
    value = std::clamp(value, static_cast<Number>(low), static_cast<Number>(high));
  });
  return sane;
}

double ReadBytesPerSecond(const MachineProfile& profile, int threads) {
  std::map<int, double> best;  // by number of threads
  for (const ReadSpeed& read : profile.reads) {
    double& speed = best[read.threads];
    speed = std::max(speed, read.bytes_per_s);
  }
  const auto above = best.lower_bound(threads);
  if (above == best.end()) return best.rbegin()->second;
  if (above == best.begin()) return above->second;
  const auto below = std::prev(above);
  const double part = static_cast<double>(threads - below->first) / (above->first - below->first);
  return below->second + part * (above->second - below->second);
}

std::string ProfileToJson(const MachineProfile& profile, std::string_view version) {
  Json json = {{"bitfetch", version},
               {"cpu", profile.cpu},
               {"cores", profile.cores},
               {"l1d_bytes", profile.l1d_bytes},
               {"l2_bytes", profile.l2_bytes},
               {"l3_bytes", profile.l3_bytes},
               {"source", ProfileSourceName(profile.source)},
               {"huge_pages", profile.huge_pages},
               {"latency_ns", profile.latency_ns},
               {"latency_4k_ns", profile.latency_4k_ns},
               {"loaded_latency_ns", profile.loaded_latency_ns},
               {"jitter_ns", profile.jitter_ns},
               {"misses_in_flight", profile.misses_in_flight},
               {"reads", Json::array()},
               {"gains", Json::array()}};
  for (const ReadSpeed& read : profile.reads) {
    json["reads"].push_back({{"threads", read.threads},
                             {"width_bytes", read.width_bytes},
                             {"streams", read.streams},
                             {"bytes_per_s", read.bytes_per_s}});
  }
  for (const StreamGain& gain : profile.gains) {
    json["gains"].push_back(
        {{"streams", gain.streams}, {"contiguous", gain.contiguous}, {"paged", gain.paged}});
  }
  // A name that is no UTF-8 must not throw.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<StoredProfile> ProfileFromJson(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Fail("this is no JSON");
  StoredProfile stored;
  MachineProfile& profile = stored.profile;
  std::string source;
  Fields fields(json, "profile");
  fields.Get("bitfetch", stored.version);
  fields.Get("cpu", profile.cpu);
  fields.Get("cores", profile.cores);
  fields.Get("l1d_bytes", profile.l1d_bytes);
  fields.Get("l2_bytes", profile.l2_bytes);
  fields.Get("l3_bytes", profile.l3_bytes);
  fields.Get("source", source);
  fields.Get("huge_pages", profile.huge_pages);
  fields.Get("latency_ns", profile.latency_ns);
  fields.Get("latency_4k_ns", profile.latency_4k_ns);
  fields.Get("loaded_latency_ns", profile.loaded_latency_ns);
  fields.Get("jitter_ns", profile.jitter_ns);
  fields.Get("misses_in_flight", profile.misses_in_flight);
  profile.reads.clear();
  fields.GetEach("reads", [&](Fields& item) {
    ReadSpeed& read = profile.reads.emplace_back();
    item.Get("threads", read.threads);
    item.Get("width_bytes", read.width_bytes);
    item.Get("streams", read.streams);
    item.Get("bytes_per_s", read.bytes_per_s);
  });
  profile.gains.clear();
  fields.GetEach("gains", [&](Fields& item) {
    StreamGain& gain = profile.gains.emplace_back();
    item.Get("streams", gain.streams);
    item.Get("contiguous", gain.contiguous);
    item.Get("paged", gain.paged);
  });
  BITFETCH_RETURN_IF_ERROR(fields.Finish());

  const auto name = std::find(kSourceNames.begin(), kSourceNames.end(), source);
  if (name == kSourceNames.end()) return Fail("profile: source is '{}'", source);
  profile.source = static_cast<ProfileSource>(name - kSourceNames.begin());
  BITFETCH_RETURN_IF_ERROR(CheckProfile(profile));
  return stored;
}

}  // namespace bitfetch
