// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/methods.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "text/jinja/filters.h"
#include "text/jinja/text.h"

namespace bitfetch::jinja {
namespace {

constexpr std::string_view kOfTexts[] = {"upper",    "lower",  "title",  "capitalize",
                                         "strip",    "lstrip", "rstrip", "startswith",
                                         "endswith", "split",  "replace"};
constexpr std::string_view kOfDicts[] = {"get", "items", "keys", "values"};

template <size_t n>
const std::string_view* Find(const std::string_view (&names)[n], std::string_view name) {
  const auto* found = std::ranges::find(names, name);
  return found == std::end(names) ? nullptr : found;
}

// Whether `is` holds for a text, or for one of a list of them.
Result<bool> HoldsForAny(const Value& texts, Work& work,
                         const std::function<bool(std::string_view)>& is) {
  if (const TracedText* text = texts.AsText()) return is(text->bytes());
  if (const List* list = texts.AsList()) {
    for (const Value& item : list->items) {
      if (item.AsText() == nullptr) return Fail("{} is no text", item.TypeName());
      BITFETCH_RETURN_IF_ERROR(work.SpendOnText(item.AsText()->size()));
      if (is(item.AsText()->bytes())) return true;
    }
    return false;
  }
  return Fail("{} is no text", texts.TypeName());
}

// How many parts a method is to look at; all where nothing or a negative number is given.
Result<std::optional<size_t>> CountIn(const Value& value) {
  if (value.IsUndefined() || value.IsNone()) return std::nullopt;
  if (value.AsNumber() == nullptr) return Fail("{} is no number", value.TypeName());
  const double count = value.AsNumber()->value;
  if (!(count >= 0 && count < 1e9)) return std::nullopt;
  return static_cast<size_t>(count);
}

Result<Value> CallOfText(std::string_view name, const TracedText& text, const Arguments& arguments,
                         Work& work) {
  BITFETCH_RETURN_IF_ERROR(work.SpendOnText(text.size()));
  const std::string_view bytes = text.bytes();
  if (name == "strip") return TrimmedRight(TrimmedLeft(text));
  if (name == "lstrip") return TrimmedLeft(text);
  if (name == "rstrip") return TrimmedRight(text);
  if (name == "upper") return Upper(text);
  if (name == "lower") return Lower(text);
  if (name == "title") return Title(text);
  if (name == "capitalize") return Capitalized(text);
  const Value first = arguments.Get(0, "");
  if (name == "startswith") {
    return HoldsForAny(first, work, [&](std::string_view part) { return bytes.starts_with(part); });
  }
  if (name == "endswith") {
    return HoldsForAny(first, work, [&](std::string_view part) { return bytes.ends_with(part); });
  }
  if (name == "split") {
    if (first.AsText() == nullptr && !first.IsUndefined() && !first.IsNone()) {
      return Fail("{} is no separator", first.TypeName());
    }
    const auto separator = first.AsText() != nullptr
                               ? std::optional<std::string_view>(first.AsText()->bytes())
                               : std::nullopt;
    BITFETCH_ASSIGN_OR_RETURN(const auto count, CountIn(arguments.Get(1, "maxsplit")));
    return Split(text, separator, count, work);
  }
  const Value by = arguments.Get(1, "");
  if (first.AsText() == nullptr || by.AsText() == nullptr) {
    return Fail("it takes two texts, not {} and {}", first.TypeName(), by.TypeName());
  }
  BITFETCH_ASSIGN_OR_RETURN(const auto count, CountIn(arguments.Get(2, "count")));
  return Replaced(text, first.AsText()->bytes(), *by.AsText(), count, work);
}

Result<Value> CallOfDict(std::string_view name, const Dict& dict, const Arguments& arguments,
                         Work& work) {
  BITFETCH_RETURN_IF_ERROR(work.Spend(dict.entries.size()));
  if (name == "items") return Items(dict);
  std::vector<Value> list;
  if (name == "get") {
    const Value key = arguments.Get(0, "");
    if (key.AsText() == nullptr) return Fail("{} is no key", key.TypeName());
    if (const Value* found = dict.Find(key.AsText()->bytes())) return *found;
    return arguments.positional.size() > 1 ? arguments.positional[1] : Value(None());
  }
  for (const auto& [key, value] : dict.entries) {
    list.push_back(name == "keys" ? Value::Foreign(key) : value);
  }
  return Value(std::move(list));
}

}  // namespace

Value AttributeOf(const Value& value, std::string_view name) {
  if (name == "length") {
    if (const TracedText* text = value.AsText()) {
      return Value::Integer(static_cast<double>(LengthOf(text->bytes())));
    }
    if (const List* list = value.AsList()) {
      return Value::Integer(static_cast<double>(list->items.size()));
    }
  }
  const std::string_view* method = value.AsText()   ? Find(kOfTexts, name)
                                   : value.AsDict() ? Find(kOfDicts, name)
                                                    : nullptr;
  if (method == nullptr) return {};
  return Function{*method, nullptr, std::make_shared<const Value>(value)};
}

Result<Value> CallMethod(const Function& method, const Arguments& arguments, Work& work) {
  const TracedText* text = method.self->AsText();
  Result<Value> result = text != nullptr
                             ? CallOfText(method.name, *text, arguments, work)
                             : CallOfDict(method.name, *method.self->AsDict(), arguments, work);
  return std::move(result).map_error([&](const Error& error) {
    return Error{fmt::format("{}(): {}", method.name, error.message)};
  });
}

Value Items(const Dict& dict) {
  std::vector<Value> items;
  for (const auto& [key, value] : dict.entries) {
    items.emplace_back(std::vector<Value>{Value::Foreign(key), value});
  }
  return items;
}

}  // namespace bitfetch::jinja
