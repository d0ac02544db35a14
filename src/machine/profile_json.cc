// SPDX-License-Identifier: Apache-2.0
#include "machine/profile_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <type_traits>

#include "base/json_value.h"

namespace bitfetch {
namespace {

// Rises with every change of the fields or of what they mean.
constexpr int kFormat = 6;

std::string Writer(std::string_view version) {
  return fmt::format("{}, format {}", version, kFormat);
}

// Reads the fields of one JSON object, and remembers the first thing that is wrong.
class Fields {
 public:
  Fields(const JsonValue& json, std::string_view what)
      : object_(json.As<JsonValue::Object>()), what_(what) {
    if (object_ == nullptr) error_ = Error{fmt::format("{} is no object", what)};
  }

  void Get(const char* key, std::string& value) {
    if (const auto* text = Find<std::string>(key, "text")) value = *text;
  }
  void Get(const char* key, bool& value) {
    if (const auto* flag = Find<bool>(key, "true or false")) value = *flag;
  }
  void Get(const char* key, int64_t& value) {
    if (const auto* number = Find<int64_t>(key, "a whole number")) value = *number;
  }
  void Get(const char* key, double& value) {
    const JsonValue* at = Find(key);
    if (at == nullptr) return;
    if (const auto* whole = at->As<int64_t>()) {
      value = static_cast<double>(*whole);
    } else if (const auto* number = at->As<double>()) {
      value = *number;
    } else {
      RefuseType(key, "a number");
    }
  }
  void Get(const char* key, int& value) {
    int64_t wide = 0;
    Get(key, wide);
    value = static_cast<int>(std::clamp<int64_t>(wide, -1, 1 << 30));
  }

  void Get(const char* key, Speedup& value) {
    const JsonValue* at = Find(key);
    if (at == nullptr) return;
    const std::string what = fmt::format("{}: {}", what_, key);
    Fields fields(*at, what);
    fields.Get("times", value.times);
    fields.Get("min", value.min);
    fields.Get("max", value.max);
    if (const Status status = fields.Finish(); !status) Refuse(status.error());
  }

  // Calls read(fields) for each object of an array.
  template <class Read>
  void GetEach(const char* key, Read&& read) {
    const auto* list = Find<JsonValue::List>(key, "a list");
    if (list == nullptr) return;
    for (const JsonValue& item : *list) {
      Fields fields(item, key);
      read(fields);
      if (const Status status = fields.Finish(); !status) Refuse(status.error());
    }
  }

  // An error if anything was wrong, or if there are fields that nothing asked for.
  Status Finish() {
    if (!error_ && object_->size() != found_)
      error_ = Error{fmt::format("{}: unknown fields", what_)};
    if (error_) return tl::unexpected(*error_);
    return {};
  }

  void Refuse(const Error& error) {
    if (!error_) error_ = error;
  }

 private:
  const JsonValue* Find(const char* key) {
    if (object_ == nullptr) return nullptr;
    const auto at = std::ranges::find(*object_, key, &JsonMember::key);
    if (at == object_->end()) {
      Refuse(Error(fmt::format("{}: {} is missing", what_, key)));
      return nullptr;
    }
    ++found_;
    return &at->value;
  }
  template <class T>
  const T* Find(const char* key, std::string_view type) {
    const JsonValue* at = Find(key);
    if (at == nullptr) return nullptr;
    const T* value = at->As<T>();
    if (value == nullptr) RefuseType(key, type);
    return value;
  }
  void RefuseType(const char* key, std::string_view type) {
    Refuse(Error(fmt::format("{}: {} is not {}", what_, key, type)));
  }

  const JsonValue::Object* object_;
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
  fields.Refuse(Error(fmt::format("{} is '{}'", key, text)));
}

// Writes one JSON object.
class ObjectText {
 public:
  void Add(std::string_view name, std::string_view text) { AddJson(name, QuoteJson(text)); }
  template <class T>
  requires std::is_arithmetic_v<T>
  void Add(std::string_view name, T value) { AddJson(name, fmt::format("{}", value)); }
  void Add(std::string_view name, const Speedup& speedup) {
    ObjectText text;
    text.Add("times", speedup.times);
    text.Add("min", speedup.min);
    text.Add("max", speedup.max);
    AddJson(name, text.Done());
  }
  // `to_text` makes an object of each.
  template <class Items, class ToText>
  void AddEach(std::string_view name, const Items& items, const ToText& to_text) {
    std::string list;
    for (const auto& item : items) list += (list.empty() ? "\n " : ",\n ") + to_text(item);
    AddJson(name, fmt::format("[{}]", list));
  }
  std::string Done() const { return fmt::format("{{{}}}", members_); }

 private:
  void AddJson(std::string_view name, std::string_view json) {
    members_ += fmt::format("{}\"{}\": {}", members_.empty() ? "" : ", ", name, json);
  }

  std::string members_;
};

std::string ToText(const PrefetchGain& gain) {
  ObjectText text;
  text.Add("pages", PageSizeName(gain.pages));
  text.Add("threads", gain.threads);
  text.Add("hint", PrefetchHintName(gain.hint));
  text.Add("streams", gain.streams);
  text.Add("contiguous", gain.contiguous);
  text.Add("paged", gain.paged);
  return text.Done();
}

std::string ToText(const ReadSpeed& read) {
  ObjectText text;
  text.Add("threads", read.threads);
  text.Add("width_bytes", read.width_bytes);
  text.Add("streams", read.streams);
  text.Add("bytes_per_s", read.bytes_per_s);
  return text.Done();
}

std::string ToText(const KernelSpeed& kernel) {
  ObjectText text;
  text.Add("name", kernel.name);
  text.Add("data", KernelDataName(kernel.data));
  text.Add("value_bits", kernel.value_bits);
  text.Add("hot_bytes_per_s", kernel.hot_bytes_per_s);
  text.AddEach("gains", kernel.gains, [](const PrefetchGain& gain) { return ToText(gain); });
  return text.Done();
}

void Get(Fields& fields, KernelSpeed& kernel) {
  fields.Get("name", kernel.name);
  GetNamed(fields, "data", {KernelData::kKv, KernelData::kWeights}, KernelDataName, kernel.data);
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
  ObjectText text;
  text.Add("bitfetch", Writer(version));
  text.Add("cpu", profile.cpu);
  text.Add("source", ProfileSourceName(profile.source));
  VisitScalars(profile, [&](const char* name, const auto& value) { text.Add(name, value); });
  text.AddEach("reads", profile.reads, [](const ReadSpeed& read) { return ToText(read); });
  text.AddEach("kernels", profile.kernels,
               [](const KernelSpeed& kernel) { return ToText(kernel); });
  return text.Done() + "\n";
}

Result<std::optional<MachineProfile>> ProfileFromJson(std::string_view text,
                                                      std::string_view version) {
  const Result<JsonValue> json = ParseJson(text);
  if (!json) return Fail("this {}", json.error().message);
  const auto* by = json->Find<std::string>("bitfetch");
  if (by != nullptr && *by != Writer(version)) return std::optional<MachineProfile>();
  MachineProfile profile;
  std::string writer;
  Fields fields(*json, "profile");
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
