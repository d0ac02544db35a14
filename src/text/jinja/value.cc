// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace bitfetch::jinja {
namespace {

// JavaScript's Number(): NaN where the text is none.
double NumberIn(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return 0;
  text = text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? number : std::numeric_limits<double>::quiet_NaN();
}

// What JavaScript compares when types differ; none for what it compares by identity.
std::optional<double> NumberOf(const Value& value) {
  if (const bool* truth = value.AsBool()) return *truth ? 1 : 0;
  if (const Number* number = value.AsNumber()) return number->value;
  if (const TracedText* text = value.AsText()) return NumberIn(text->bytes());
  return std::nullopt;
}

bool IsNothing(const Value& value) { return value.IsUndefined() || value.IsNone(); }

}  // namespace

const Value* Dict::Find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

void Dict::Set(std::string_view key, Value value) {
  depth = std::max(depth, value.depth() + 1);
  for (auto& [name, old] : entries) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  entries.emplace_back(key, std::move(value));
}

Value::Value(std::vector<Value> items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  is_ = std::make_shared<const List>(List{std::move(items), depth + 1});
}

Value::Value(Dict dict) : is_(std::make_shared<const Dict>(std::move(dict))) {}

Value Value::Own(std::string text) {
  return TracedText(std::move(text), TracedText::Author::kTemplate);
}

Value Value::Foreign(std::string text) {
  return TracedText(std::move(text), TracedText::Author::kOther);
}

Dict* Value::AsNamespace() const {
  Dict* const* found = std::get_if<Dict*>(&is_);
  return found == nullptr ? nullptr : *found;
}

const Dict* Value::AsEntries() const {
  const Dict* dict = AsDict();
  return dict != nullptr ? dict : AsNamespace();
}

bool Value::IsTrue() const {
  if (const bool* truth = AsBool()) return *truth;
  if (const Number* number = AsNumber()) return number->value != 0 && !std::isnan(number->value);
  if (const TracedText* text = AsText()) return text->size() > 0;
  if (const List* list = AsList()) return !list->items.empty();
  if (const Dict* dict = AsDict()) return !dict->entries.empty();
  return !IsNothing(*this);
}

int Value::depth() const {
  if (const List* list = AsList()) return list->depth;
  if (const Dict* dict = AsDict()) return dict->depth;
  const Function* function = AsFunction();
  return function != nullptr && function->self != nullptr ? function->self->depth() : 0;
}

std::string_view Value::TypeName() const {
  if (IsUndefined()) return "something undefined";
  if (IsNone()) return "none";
  if (AsBool() != nullptr) return "a truth value";
  if (AsNumber() != nullptr) return "a number";
  if (AsText() != nullptr) return "a text";
  if (AsList() != nullptr) return "a list";
  if (AsDict() != nullptr) return "a dict";
  return AsFunction() != nullptr ? "a function" : "a namespace";
}

bool LooselyEqual(const Value& a, const Value& b) {
  if (StrictlyEqual(a, b)) return true;
  if (IsNothing(a) || IsNothing(b)) return IsNothing(a) && IsNothing(b);
  if (a.AsText() != nullptr && b.AsText() != nullptr) return false;
  const std::optional<double> left = NumberOf(a);
  const std::optional<double> right = NumberOf(b);
  return left && right && *left == *right;
}

bool StrictlyEqual(const Value& a, const Value& b) {
  if (a.AsBool() && b.AsBool()) return *a.AsBool() == *b.AsBool();
  if (a.AsNumber() && b.AsNumber()) return a.AsNumber()->value == b.AsNumber()->value;
  if (a.AsText() && b.AsText()) return a.AsText()->bytes() == b.AsText()->bytes();
  if (a.AsList()) return a.AsList() == b.AsList();
  if (a.AsEntries()) return a.AsEntries() == b.AsEntries();
  return (a.IsNone() && b.IsNone()) || (a.IsUndefined() && b.IsUndefined());
}

std::string NumberText(double number, bool with_point) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  if (number == 0) return !with_point ? "0" : std::signbit(number) ? "-0.0" : "0.0";
  // "d.ddde-xx", of which JavaScript's own form is made (ECMA-262, Number::toString).
  char scientific[32];
  const char* end = std::to_chars(scientific, scientific + sizeof scientific, number,
                                  std::chars_format::scientific)
                        .ptr;
  std::string_view text(scientific, end);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  const size_t sign = text[e + 1] == '+' ? 2 : 1;
  std::from_chars(text.data() + e + sign, text.data() + text.size(), exponent);

  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before it
  std::string out;
  if (point > 21 || point <= -6) {
    out = digits.substr(0, 1);
    if (count > 1) out += '.' + digits.substr(1);
    out += fmt::format("e{:+}", exponent);
  } else if (point <= 0) {
    out = "0." + std::string(-point, '0') + digits;
  } else if (point < count) {
    out = digits.substr(0, point) + '.' + digits.substr(point);
  } else {
    out = digits + std::string(point - count, '0');
    if (with_point) out += ".0";
  }
  return (negative ? "-" : "") + out;
}

std::optional<TracedText> PlainText(const Value& value, bool with_point) {
  using enum TracedText::Author;
  if (const TracedText* text = value.AsText()) return *text;
  if (const bool* truth = value.AsBool()) return TracedText(*truth ? "true" : "false", kTemplate);
  if (const Number* number = value.AsNumber()) {
    return TracedText(NumberText(number->value, with_point && number->is_float), kTemplate);
  }
  return std::nullopt;
}

}  // namespace bitfetch::jinja
