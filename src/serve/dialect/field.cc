// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/field.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"

namespace bitfetch {
namespace {

std::string Shown(const JsonValue& value) {
  if (value.As<std::string>()) return "a string";
  if (value.As<JsonValue::List>()) return "a list";
  if (value.As<JsonValue::Object>()) return "an object";
  return WriteJson(value);
}

bool SaysNothing(const JsonValue& value) {
  const auto is = [&]<class T>(const T& nothing) {
    const T* same = value.As<T>();
    return same != nullptr && *same == nothing;
  };
  const auto* list = value.As<JsonValue::List>();
  const auto* object = value.As<JsonValue::Object>();
  return is(false) || is(int64_t{0}) || is(0.0) || is(std::string()) || (list && list->empty()) ||
         (object && object->empty());
}

}  // namespace

RequestBody::RequestBody(std::string_view body) {
  constexpr JsonLimits kLimits = {
      .max_depth = 64, .max_values = 1'000'000, .refuses_repetition = false};
  Result<JsonValue> parsed = ParseJson(body, kLimits);
  if (!parsed) {
    error_ = ApiError{.message = "the body " + parsed.error().message};
  } else if (!parsed->As<JsonValue::Object>()) {
    error_ = ApiError{.message = "the body is " + Shown(*parsed) + ", not a JSON object",
                      .code = "invalid_type"};
  }
  if (error_) {
    json_.value = JsonValue::Object();
  } else {
    json_ = *std::move(parsed);
  }
}

ApiResult<void> RequestBody::Check() const {
  if (error_) return tl::unexpected(*error_);
  return {};
}

Field Field::operator[](std::string_view key) const {
  const auto* object = As<JsonValue::Object>("an object");
  // A name may be the client's, and becomes part of a message of one line.
  const std::string name = Printable(key);
  return {object == nullptr ? nullptr : value_->Find(key),
          path_.empty() ? name : fmt::format("{}.{}", path_, name), error_};
}

std::vector<Field> Field::Items() const {
  std::vector<Field> items;
  if (const auto* list = As<JsonValue::List>("a list")) {
    items.reserve(list->size());
    for (const JsonValue& item : *list) {
      const bool is_null = item.As<std::monostate>() != nullptr;
      items.push_back(
          {is_null ? nullptr : &item, fmt::format("{}[{}]", path_, items.size()), error_});
    }
  }
  return items;
}

void Field::Get(bool* value) const {
  if (const bool* is = As<bool>("true or false")) *value = *is;
}

void Field::Get(std::string* value) const {
  if (const auto* is = As<std::string>("a string")) *value = *is;
}

void Field::Get(double* value, double min, double max) const {
  if (!given()) return;
  const auto* whole = value_->As<int64_t>();
  const auto* is = value_->As<double>();
  const double number = whole ? static_cast<double>(*whole) : is ? *is : 0;
  if ((whole || is) && number >= min && number <= max) {
    *value = number;
  } else {
    RefuseNumber(fmt::format("a number from {} to {}", min, max));
  }
}

std::optional<int64_t> Field::Whole(int64_t min, int64_t max) const {
  if (!given()) return std::nullopt;
  const auto* whole = value_->As<int64_t>();
  if (whole && *whole >= min && *whole <= max) return *whole;
  RefuseNumber(fmt::format("a whole number from {} to {}", min, max));
  return std::nullopt;
}

void Field::Get(std::vector<int>* ids, int vocabulary) const {
  const auto* list = As<JsonValue::List>("a list of token ids");
  if (list == nullptr) return;
  std::vector<int> read;
  read.reserve(list->size());
  for (const JsonValue& item : *list) {
    const auto* id = item.As<int64_t>();
    if (id == nullptr || *id < 0 || *id >= vocabulary) {
      Refuse(fmt::format("must hold token ids from 0 to {}, and has {} at {}", vocabulary - 1,
                         Shown(item), read.size()));
      return;
    }
    read.push_back(static_cast<int>(*id));
  }
  *ids = std::move(read);
}

void Field::GetOneOf(std::string* value, std::initializer_list<std::string_view> names) const {
  if (!given()) return;
  const auto* is = value_->As<std::string>();
  if (is != nullptr && std::ranges::find(names, *is) != names.end()) {
    *value = *is;
  } else {
    Refuse(fmt::format("must be one of {}, and is {}", fmt::join(names, ", "),
                       is ? fmt::format("'{}'", Printable(*is)) : Shown(*value_)));
  }
}

void Field::Require() const {
  if (!given()) Refuse("is missing", "missing_required_parameter");
}

void Field::RefuseUnsupported() const {
  if (given() && !SaysNothing(*value_)) Refuse("is not supported", "unsupported_parameter");
}

void Field::Refuse(std::string_view message, std::string_view code) const {
  if (*error_) return;
  *error_ = ApiError{.message = fmt::format("'{}' {}", path_, OneLine(message)),
                     .param = path_,
                     .code = std::string(code)};
}

void Field::RefuseType(std::string_view wanted) const {
  Refuse(fmt::format("must be {}, and is {}", wanted, Shown(*value_)), "invalid_type");
}

// Of the right type one that is out of range.
void Field::RefuseNumber(std::string_view wanted) const {
  if (!Is<int64_t>() && !Is<double>()) return RefuseType(wanted);
  Refuse(fmt::format("must be {}, and is {}", wanted, Shown(*value_)));
}

}  // namespace bitfetch
