// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "text/jinja/methods.h"
#include "text/jinja/text.h"

namespace bitfetch::jinja {
namespace {

// Nothing if the operator is not one of numbers.
std::optional<Value> OfNumbers(std::string_view name, Number a, Number b) {
  const bool is_float = a.is_float || b.is_float;
  if (name == "+") return Number{a.value + b.value, is_float};
  if (name == "-") return Number{a.value - b.value, is_float};
  if (name == "*") return Number{a.value * b.value, is_float};
  if (name == "/") return Number{a.value / b.value, true};
  if (name == "//") return Number{std::floor(a.value / b.value), is_float};
  if (name == "%") return Number{std::fmod(a.value, b.value), is_float};
  if (name == "<") return a.value < b.value;
  if (name == ">") return a.value > b.value;
  if (name == "<=") return a.value <= b.value;
  if (name == ">=") return a.value >= b.value;
  return std::nullopt;
}

// Whether b has a; nothing if b is no container or a no member of such.
std::optional<bool> IsIn(const Value& a, const Value& b) {
  if (const List* list = b.AsList()) {
    return std::ranges::any_of(list->items,
                               [&](const Value& item) { return StrictlyEqual(item, a); });
  }
  if (a.AsText() == nullptr) return std::nullopt;
  if (const TracedText* text = b.AsText()) {
    return FindText(text->bytes(), a.AsText()->bytes()) != std::string_view::npos;
  }
  if (const Dict* dict = b.AsDict()) return dict->Find(a.AsText()->bytes()) != nullptr;
  return std::nullopt;
}

Result<Value> Joined(const TracedText& a, const TracedText& b, Work& work) {
  BITFETCH_RETURN_IF_ERROR(work.SpendOnText(b.size(), a.size()));
  TracedText joined = a;
  joined.Append(b);
  return joined;
}

// What looking through a value costs.
size_t StepsThrough(const Value& value) {
  if (const TracedText* text = value.AsText()) return text->size() / 16;
  if (const List* list = value.AsList()) return list->items.size();
  if (const Dict* dict = value.AsEntries()) return dict->entries.size() / 16;
  return 0;
}

}  // namespace

Result<Value> ApplyUnary(std::string_view name, const Value& value) {
  if (name == "not") return !value.IsTrue();
  const double sign = name == "-" ? -1 : 1;
  if (const bool* truth = value.AsBool()) return Value::Integer(sign * (*truth ? 1 : 0));
  const Number* number = value.AsNumber();
  if (number == nullptr) return Fail("'{}' stands before {}", name, value.TypeName());
  return Number{sign * number->value, number->is_float};
}

Result<Value> ApplyBinary(std::string_view name, const Value& a, const Value& b, Work& work) {
  BITFETCH_RETURN_IF_ERROR(work.Spend(StepsThrough(a) + StepsThrough(b)));
  if (name == "==") return LooselyEqual(a, b);
  if (name == "!=") return !LooselyEqual(a, b);
  const bool is_in = name == "in";
  if ((is_in || name == "not in") && b.IsUndefined()) return !is_in;
  const bool is_nothing = a.IsUndefined() || a.IsNone() || b.IsUndefined() || b.IsNone();
  if (!is_nothing && (is_in || name == "not in")) {
    if (b.AsList() != nullptr) {
      BITFETCH_RETURN_IF_ERROR(work.Spend(StepsThrough(a) * StepsThrough(b)));
    }
    if (const std::optional<bool> found = IsIn(a, b)) return *found == is_in;
  } else if (!is_nothing) {
    if (a.AsNumber() != nullptr && b.AsNumber() != nullptr && name != "~") {
      if (std::optional<Value> value = OfNumbers(name, *a.AsNumber(), *b.AsNumber())) {
        return *std::move(value);
      }
    }
    if (a.AsList() != nullptr && b.AsList() != nullptr && name == "+") {
      std::vector<Value> items = a.AsList()->items;
      items.insert(items.end(), b.AsList()->items.begin(), b.AsList()->items.end());
      return Value(std::move(items));
    }
    const std::optional<TracedText> left = PlainText(a);
    const std::optional<TracedText> right = PlainText(b);
    const bool has_text = a.AsText() != nullptr || b.AsText() != nullptr;
    if (left && right && (name == "~" || (name == "+" && has_text))) {
      return Joined(*left, *right, work);
    }
  }
  return Fail("'{}' stands between {} and {}", name, a.TypeName(), b.TypeName());
}

Result<Value> MemberOf(const Value& value, const Value& key, Work& work) {
  BITFETCH_RETURN_IF_ERROR(work.Spend(value.AsList() != nullptr ? 0 : StepsThrough(value)));
  const TracedText* text = value.AsText();
  const List* list = value.AsList();
  if (const Number* number = key.AsNumber(); number != nullptr && (text || list)) {
    const std::vector<size_t> characters =
        text != nullptr ? Characters(text->bytes()) : std::vector<size_t>();
    const auto count =
        static_cast<double>(text != nullptr ? characters.size() : list->items.size());
    const double place = std::trunc(number->value);
    const double index = place < 0 ? place + count : place;
    if (!(index >= 0 && index < count)) return Value();
    const auto at = static_cast<size_t>(index);
    if (list != nullptr) return list->items[at];
    const size_t end = at + 1 < characters.size() ? characters[at + 1] : text->size();
    return text->Slice(characters[at], end - characters[at]);
  }
  if (key.AsText() == nullptr) {
    return Fail("{} is no key of {}", key.TypeName(), value.TypeName());
  }
  const std::string& name = key.AsText()->bytes();
  if (const Dict* dict = value.AsEntries()) {
    if (const Value* found = dict->Find(name)) return *found;
  }
  return AttributeOf(value, name);
}

Result<Value> SliceOf(const Value& value, std::optional<double> start, std::optional<double> stop,
                      std::optional<double> step, Work& work) {
  const TracedText* text = value.AsText();
  const List* list = value.AsList();
  if (text == nullptr && list == nullptr) return Fail("{} has no slices", value.TypeName());
  BITFETCH_RETURN_IF_ERROR(work.Spend(text != nullptr ? text->size() : list->items.size()));
  const std::vector<size_t> characters =
      text != nullptr ? Characters(text->bytes()) : std::vector<size_t>();
  const auto count = static_cast<double>(text != nullptr ? characters.size() : list->items.size());

  const double stride = step.value_or(1);
  const bool forward = stride >= 0;
  // From the end where negative; no further than just outside.
  const auto bound = [&](std::optional<double> given, double usual) {
    if (!given) return usual;
    const double at = *given < 0 ? *given + count : *given;
    return forward ? std::clamp(at, 0.0, count) : std::clamp(at, -1.0, count - 1);
  };
  const double begin = bound(start, forward ? 0 : count - 1);
  const double end = bound(stop, forward ? count : -1);

  TracedText slice;
  std::vector<Value> items;
  for (double i = begin; stride != 0 && (forward ? i < end : i > end); i += stride) {
    const auto at = static_cast<size_t>(i);
    if (list != nullptr) {
      items.push_back(list->items[at]);
    } else {
      const size_t next = at + 1 < characters.size() ? characters[at + 1] : text->size();
      slice.Append(text->Slice(characters[at], next - characters[at]));
    }
  }
  if (list != nullptr) return Value(std::move(items));
  return slice;
}

}  // namespace bitfetch::jinja
