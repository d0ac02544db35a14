// SPDX-License-Identifier: Apache-2.0
#include "machine/profile_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace bitfetch {
namespace {

using Json = nlohmann::json;

// Rises with every change of the fields or of what they mean.
constexpr int kFormat = 2;

std::string Writer(std::string_view version) {
  return fmt::format("{}, format {}", version, kFormat);
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

// One of `all`, by its name.
template <class T, class Name>
void GetNamed(Fields& fields, const char* key, std::initializer_list<T> all, Name name, T& value) {
  std::string text;
  fields.Get(key, text);
  for (const T& each : all) {
    if (name(each) == text) {
      value = each;
      return;
    }
  }
  fields.Refuse({fmt::format("{} is '{}'", key, text)});
}

Json ToJson(const KernelSpeed& kernel) {
  Json json = {{"name", kernel.name},
               {"value_bits", kernel.value_bits},
               {"hot_bytes_per_s", kernel.hot_bytes_per_s},
               {"gains", Json::array()}};
  for (const PrefetchGain& gain : kernel.gains) {
    json["gains"].push_back({{"pages", PageSizeName(gain.pages)},
                             {"threads", gain.threads},
                             {"hint", PrefetchHintName(gain.hint)},
                             {"streams", gain.streams},
                             {"contiguous", gain.contiguous},
                             {"paged", gain.paged}});
  }
  return json;
}

void Get(Fields& fields, KernelSpeed& kernel) {
  fields.Get("name", kernel.name);
  fields.Get("value_bits", kernel.value_bits);
  fields.Get("hot_bytes_per_s", kernel.hot_bytes_per_s);
  fields.GetEach("gains", [&](Fields& item) {
    PrefetchGain& gain = kernel.gains.emplace_back();
    GetNamed(item, "pages", {PageSize::kHuge, PageSize::k4K}, PageSizeName, gain.pages);
    item.Get("threads", gain.threads);
    GetNamed(item, "hint", {PrefetchHint::kL1, PrefetchHint::kL2}, PrefetchHintName, gain.hint);
    item.Get("streams", gain.streams);
    item.Get("contiguous", gain.contiguous);
    item.Get("paged", gain.paged);
  });
}

// The numbers that stand alone, in the order in which they are written.
template <class Profile, class Visit>
void VisitScalars(Profile& profile, Visit&& visit) {
  visit("cores", profile.cores);
  visit("l1d_bytes", profile.l1d_bytes);
  visit("l2_bytes", profile.l2_bytes);
  visit("l3_bytes", profile.l3_bytes);
  visit("huge_pages", profile.huge_pages);
  visit("latency_ns", profile.latency_ns);
  visit("latency_4k_ns", profile.latency_4k_ns);
  visit("loaded_latency_ns", profile.loaded_latency_ns);
  visit("loaded_latency_4k_ns", profile.loaded_latency_4k_ns);
  visit("jitter_ns", profile.jitter_ns);
  visit("misses_in_flight", profile.misses_in_flight);
}

}  // namespace

std::string ProfileToJson(const MachineProfile& profile, std::string_view version) {
  Json json = {{"bitfetch", Writer(version)},
               {"cpu", profile.cpu},
               {"source", ProfileSourceName(profile.source)},
               {"reads", Json::array()},
               {"kernels", Json::array()}};
  VisitScalars(profile, [&](const char* name, const auto& value) { json[name] = value; });
  for (const ReadSpeed& read : profile.reads) {
    json["reads"].push_back({{"threads", read.threads},
                             {"width_bytes", read.width_bytes},
                             {"streams", read.streams},
                             {"bytes_per_s", read.bytes_per_s}});
  }
  for (const KernelSpeed& kernel : profile.kernels) json["kernels"].push_back(ToJson(kernel));
  // A name that is no UTF-8 must not throw.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::optional<MachineProfile>> ProfileFromJson(std::string_view text,
                                                      std::string_view version) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Fail("this is no JSON");
  if (json.is_object()) {
    const auto writer = json.find("bitfetch");
    if (writer != json.end() && writer->is_string() && *writer != Writer(version)) {
      return std::optional<MachineProfile>();
    }
  }
  MachineProfile profile;
  std::string writer;
  Fields fields(json, "profile");
  fields.Get("bitfetch", writer);
  fields.Get("cpu", profile.cpu);
  GetNamed(fields, "source", {ProfileSource::kDefault, ProfileSource::kQuick, ProfileSource::kTune},
           ProfileSourceName, profile.source);
  VisitScalars(profile, [&](const char* name, auto& value) { fields.Get(name, value); });
  profile.reads.clear();
  fields.GetEach("reads", [&](Fields& item) {
    ReadSpeed& read = profile.reads.emplace_back();
    item.Get("threads", read.threads);
    item.Get("width_bytes", read.width_bytes);
    item.Get("streams", read.streams);
    item.Get("bytes_per_s", read.bytes_per_s);
  });
  profile.kernels.clear();
  fields.GetEach("kernels", [&](Fields& item) { Get(item, profile.kernels.emplace_back()); });
  BITFETCH_RETURN_IF_ERROR(fields.Finish());
  BITFETCH_RETURN_IF_ERROR(CheckProfile(profile));
  return std::optional(std::move(profile));
}

}  // namespace bitfetch
