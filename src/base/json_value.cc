// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <type_traits>
#include <utility>

#include "base/file.h"
#include "base/printable.h"

namespace bitfetch {
namespace {

using Sax = nlohmann::json_sax<nlohmann::json>;

constexpr size_t kMaxFileBytes = size_t{64} << 20;

class Builder : public Sax {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  JsonValue&& Take() { return std::move(root_); }
  Error error() const { return Error(error_); }

  bool null() override { return Add(std::monostate()); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(int64_t value) override { return Add(value); }
  bool number_unsigned(uint64_t value) override {
    return std::in_range<int64_t>(value) ? Add(static_cast<int64_t>(value))
                                         : Add(static_cast<double>(value));
  }
  bool number_float(double value, const std::string&) override { return Add(value); }
  bool string(std::string& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override { return Open(JsonValue::Object()); }
  bool key(std::string& key) override {
    auto& object = std::get<JsonValue::Object>(open_.back()->value);
    object.push_back({std::move(key), {}});
    member_ = &object.back().value;
    return true;
  }
  bool end_object() override {
    return MeetRepetition(std::get<JsonValue::Object>(open_.back()->value)) && Close();
  }
  bool start_array(size_t) override { return Open(JsonValue::List()); }
  bool end_array() override { return Close(); }

  bool parse_error(size_t byte, const std::string&, const nlohmann::json::exception&) override {
    return Refuse(fmt::format("is no JSON: wrong at byte {}", byte));
  }

 private:
  bool Refuse(std::string what) {
    error_ = std::move(what);
    return false;
  }

  // Sorting, since a lookup for each key would cost a hostile object's size squared.
  bool MeetRepetition(JsonValue::Object& object) {
    std::vector<size_t> by_key(object.size());
    std::iota(by_key.begin(), by_key.end(), size_t{0});
    const auto key = [&](size_t i) -> const std::string& { return object[i].key; };
    std::ranges::stable_sort(by_key, {}, key);
    std::vector<bool> is_repeated(object.size());
    for (size_t i = 1; i < by_key.size(); ++i) {
      if (key(by_key[i - 1]) != key(by_key[i])) continue;
      if (limits_.refuses_repetition) {
        return Refuse(fmt::format("has the key '{}' twice", Printable(key(by_key[i]))));
      }
      is_repeated[by_key[i - 1]] = true;
    }
    std::erase_if(object,
                  [&](const JsonMember& member) { return is_repeated[&member - &object[0]]; });
    return true;
  }

  template <class T>
  bool Add(T value) {
    JsonValue* place = Place();
    if (place != nullptr) place->value = std::move(value);
    return place != nullptr;
  }
  template <class T>
  bool Open(T value) {
    if (open_.size() == limits_.max_depth) {
      return Refuse(fmt::format("is nested over {} deep", limits_.max_depth));
    }
    JsonValue* place = Place();
    if (place == nullptr) return false;
    place->value = std::move(value);
    open_.push_back(place);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  // Where the next value belongs; null where it is one too many.
  JsonValue* Place() {
    if (++values_ > limits_.max_values) {
      Refuse(fmt::format("has more than {} values", limits_.max_values));
      return nullptr;
    }
    if (open_.empty()) return &root_;
    if (auto* list = std::get_if<JsonValue::List>(&open_.back()->value)) {
      return &list->emplace_back();
    }
    return member_;
  }

  JsonLimits limits_;
  JsonValue root_;
  std::vector<JsonValue*> open_;  // from the root to the innermost
  JsonValue* member_ = nullptr;   // of the innermost, where that is an object
  size_t values_ = 0;
  std::string error_;
};

}  // namespace

const JsonValue* JsonValue::Find(std::string_view key) const {
  const auto* object = As<Object>();
  if (object == nullptr) return nullptr;
  const auto at = std::ranges::find(*object, key, &JsonMember::key);
  return at == object->end() || at->value.As<std::monostate>() ? nullptr : &at->value;
}

Result<JsonValue> ParseJson(std::string_view text, const JsonLimits& limits) {
  // nlohmann's parser takes it for the text's end.
  if (const size_t at = text.find('\0'); at != std::string_view::npos) {
    return Fail("is no JSON: wrong at byte {}", at + 1);
  }
  Builder builder(limits);
  if (!nlohmann::json::sax_parse(text, &builder)) return tl::unexpected(builder.error());
  return builder.Take();
}

Result<JsonValue> ReadJsonFile(const std::string& path) {
  BITFETCH_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  if (file.bytes().size() > kMaxFileBytes) {
    return Fail("{}: is of {} bytes: only {} are read", path, file.bytes().size(), kMaxFileBytes);
  }
  return ParseJson({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()})
      .map_error(
          [&](const Error& error) { return Error{fmt::format("{}: {}", path, error.message)}; });
}

std::string QuoteJson(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string WriteJson(const JsonValue& value) {
  const auto write_all = [](char open, char close, const auto& items, auto write) {
    std::string json(1, open);
    for (const auto& item : items) {
      if (&item != &items.front()) json += ", ";
      json += write(item);
    }
    return json + close;
  };
  return std::visit(
      [&](const auto& is) -> std::string {
        using T = std::decay_t<decltype(is)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "null";
        } else if constexpr (std::is_same_v<T, std::string>) {
          return QuoteJson(is);
        } else if constexpr (std::is_same_v<T, JsonValue::List>) {
          return write_all('[', ']', is, WriteJson);
        } else if constexpr (std::is_same_v<T, JsonValue::Object>) {
          return write_all('{', '}', is, [](const JsonMember& member) {
            return QuoteJson(member.key) + ": " + WriteJson(member.value);
          });
        } else {
          return fmt::format("{}", is);
        }
      },
      value.value);
}

}  // namespace bitfetch
