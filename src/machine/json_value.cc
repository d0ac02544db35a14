// SPDX-License-Identifier: Apache-2.0
#include "machine/json_value.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace bitfetch {
namespace {

using Sax = nlohmann::json_sax<nlohmann::json>;

constexpr size_t kMaxDepth = 16;

class Builder : public Sax {
 public:
  JsonValue&& Take() { return std::move(root_); }

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
    key_ = std::move(key);
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return Open(JsonValue::List()); }
  bool end_array() override { return Close(); }

  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  template <class T>
  bool Add(T value) {
    Place().value = std::move(value);
    return true;
  }
  template <class T>
  bool Open(T value) {
    if (open_.size() == kMaxDepth) return false;
    JsonValue& place = Place();
    place.value = std::move(value);
    open_.push_back(&place);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  // Where the next value belongs.
  JsonValue& Place() {
    if (open_.empty()) return root_;
    if (auto* list = std::get_if<JsonValue::List>(&open_.back()->value)) {
      return list->emplace_back();
    }
    return std::get<JsonValue::Object>(open_.back()->value)[key_];
  }

  JsonValue root_;
  std::vector<JsonValue*> open_;  // from the root to the innermost
  std::string key_;
};

}  // namespace

std::optional<JsonValue> ParseJson(std::string_view text) {
  Builder builder;
  if (!nlohmann::json::sax_parse(text, &builder)) return std::nullopt;
  return builder.Take();
}

std::string QuoteJson(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace bitfetch
