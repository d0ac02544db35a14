// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/filters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>
#include <vector>

#include "base/printable.h"
#include "text/jinja/json.h"
#include "text/jinja/methods.h"
#include "text/jinja/predicates.h"
#include "text/jinja/sort.h"
#include "text/jinja/text.h"
#include "text/jinja/white_space.h"

namespace bitfetch::jinja {
namespace {

using Filter = Result<Value> (*)(const Value&, const Arguments&, Work&);

tl::unexpected<Error> NotFor(const Value& value) {
  return Fail("it is not for {}", value.TypeName());
}

// An argument that says yes or no; no where it is not given.
Result<bool> Flag(const Arguments& arguments, size_t place, std::string_view name) {
  const Value value = arguments.Get(place, name);
  if (value.IsUndefined()) return false;
  if (value.AsBool() == nullptr) return Fail("{} has to be true or false", name);
  return *value.AsBool();
}

// --- of texts

template <TracedText (*change)(const TracedText&)>
Result<Value> Changed(const Value& value, const Arguments&, Work& work) {
  const TracedText* text = value.AsText();
  if (text == nullptr) return NotFor(value);
  BITFETCH_RETURN_IF_ERROR(work.SpendOnText(text->size()));
  return change(*text);
}

TracedText Trimmed(const TracedText& text) { return TrimmedRight(TrimmedLeft(text)); }

Result<Value> Replace(const Value& value, const Arguments& arguments, Work& work) {
  if (value.AsText() == nullptr) return NotFor(value);
  return CallMethod(*AttributeOf(value, "replace").AsFunction(), arguments, work);
}

Result<Value> Indent(const Value& value, const Arguments& arguments, Work& work) {
  const TracedText* text = value.AsText();
  if (text == nullptr) return NotFor(value);
  const Value width = arguments.Get(0, "width");
  if (!width.IsUndefined() && width.AsNumber() == nullptr) return Fail("its width is no number");
  return Indented(*text, width.AsNumber() != nullptr ? width.AsNumber()->value : 4,
                  arguments.Get(1, "first").IsTrue(), arguments.Get(2, "blank").IsTrue(), work);
}

// --- of values of several types

Result<Value> Safe(const Value& value, const Arguments&, Work&) { return value; }

Result<Value> Default(const Value& value, const Arguments& arguments, Work&) {
  BITFETCH_ASSIGN_OR_RETURN(const bool if_false, Flag(arguments, 1, "boolean"));
  if (!value.IsUndefined() && (!if_false || value.IsTrue())) return value;
  const Value usual = arguments.Get(0, "default_value");
  return usual.IsUndefined() ? Value::Own("") : usual;
}

Result<Value> Length(const Value& value, const Arguments&, Work& work) {
  if (const Dict* dict = value.AsDict()) {
    return Value::Integer(static_cast<double>(dict->entries.size()));
  }
  if (const TracedText* text = value.AsText()) {
    BITFETCH_RETURN_IF_ERROR(work.SpendOnText(text->size()));
  } else if (value.AsList() == nullptr) {
    return NotFor(value);
  }
  return AttributeOf(value, "length");
}

Result<Value> String(const Value& value, const Arguments&, Work& work) {
  if (value.AsText() != nullptr) return value;
  if (std::optional<TracedText> text = PlainText(value, /*with_point=*/true)) return *text;
  if (value.AsList() == nullptr && value.AsDict() == nullptr) return NotFor(value);
  return ToJson(value, {.undefined = "undefined"}, work);
}

Result<Value> Json(const Value& value, const Arguments& arguments, Work& work) {
  JsonOptions options;
  const Value indent = arguments.Named("indent");
  if (const Number* number = indent.AsNumber(); number != nullptr && number->value >= 1) {
    options.indent = static_cast<size_t>(std::min(number->value, 1000.0));
    options.between_items = ",";
  } else if (number == nullptr && !indent.IsUndefined() && !indent.IsNone()) {
    return Fail("its indent is no number");
  }
  for (const std::string_view name : {"ensure_ascii", "sort_keys"}) {
    BITFETCH_ASSIGN_OR_RETURN(const bool given, Flag(arguments, SIZE_MAX, name));
    if (given) return Fail("{} is not covered", name);
  }
  const Value separators = arguments.Named("separators");
  if (separators.IsUndefined() || separators.IsNone()) return ToJson(value, options, work);
  const List* list = separators.AsList();
  if (list == nullptr || list->items.size() != 2 || list->items[0].AsText() == nullptr ||
      list->items[1].AsText() == nullptr) {
    return Fail("its separators are not two texts");
  }
  options.between_items = list->items[0].AsText()->bytes();
  options.after_key = list->items[1].AsText()->bytes();
  return ToJson(value, options, work);
}

Result<Value> Bool(const Value& value, const Arguments&, Work&) {
  if (value.AsBool() == nullptr) return NotFor(value);
  return value;
}

Result<Value> Abs(const Value& value, const Arguments&, Work&) {
  const Number* number = value.AsNumber();
  if (number == nullptr) return NotFor(value);
  return Number{std::abs(number->value), number->is_float};
}

// The number that a text begins with; NaN: none.
double LeadingNumber(std::string_view text, bool whole) {
  text.remove_prefix(LeadingWhiteSpace(text));
  if (text.starts_with('+')) text.remove_prefix(1);
  const size_t digits = text.find_first_not_of(whole ? "-0123456789" : "-0123456789.eE+");
  text = text.substr(0, digits);
  double number = std::nan("");
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

template <bool whole>
Result<Value> ToNumber(const Value& value, const Arguments& arguments, Work&) {
  double number = 0;
  if (const bool* truth = value.AsBool()) {
    number = *truth ? 1 : 0;
  } else if (const Number* given = value.AsNumber()) {
    number = whole ? std::floor(given->value) : given->value;
  } else if (const TracedText* text = value.AsText()) {
    number = LeadingNumber(text->bytes(), whole);
  } else {
    return NotFor(value);
  }
  if (!std::isnan(number)) return Number{number, !whole};
  const Value usual = arguments.Get(0, "default");
  return usual.IsUndefined() ? Value(Number{0, !whole}) : usual;
}

// --- of lists and dicts

Result<Value> AsList(const Value& value, const Arguments&, Work&) {
  if (value.AsList() == nullptr) return NotFor(value);
  return value;
}

template <bool first>
Result<Value> End(const Value& value, const Arguments&, Work&) {
  const List* list = value.AsList();
  if (list == nullptr) return NotFor(value);
  if (list->items.empty()) return Value();
  return first ? list->items.front() : list->items.back();
}

Result<Value> Reverse(const Value& value, const Arguments&, Work& work) {
  const List* list = value.AsList();
  if (list == nullptr) return NotFor(value);
  BITFETCH_RETURN_IF_ERROR(work.Spend(list->items.size()));
  return std::vector<Value>(list->items.rbegin(), list->items.rend());
}

Result<Value> Unique(const Value& value, const Arguments&, Work& work) {
  const List* list = value.AsList();
  if (list == nullptr) return NotFor(value);
  std::vector<Value> unique;
  for (const Value& item : list->items) {
    const size_t bytes = item.AsText() != nullptr ? item.AsText()->size() : 0;
    BITFETCH_RETURN_IF_ERROR(work.Spend(1 + unique.size() * (1 + bytes / 16)));
    const auto is_same = [&](const Value& other) { return StrictlyEqual(item, other); };
    if (std::ranges::none_of(unique, is_same)) unique.push_back(item);
  }
  return unique;
}

Result<Value> Join(const Value& value, const Arguments& arguments, Work& work) {
  const Value given = arguments.Get(0, "separator");
  if (!given.IsUndefined() && given.AsText() == nullptr) return Fail("its separator is no text");
  const TracedText separator = given.AsText() != nullptr ? *given.AsText() : TracedText();
  std::vector<TracedText> parts;
  if (const TracedText* text = value.AsText()) {
    const std::vector<size_t> characters = Characters(text->bytes());
    BITFETCH_RETURN_IF_ERROR(work.Spend(characters.size()));
    for (size_t i = 0; i < characters.size(); ++i) {
      const size_t end = i + 1 < characters.size() ? characters[i + 1] : text->size();
      parts.push_back(text->Slice(characters[i], end - characters[i]));
    }
  } else if (const List* list = value.AsList()) {
    for (const Value& item : list->items) {
      std::optional<TracedText> part = PlainText(item);
      if (!part && !item.IsUndefined() && !item.IsNone()) return NotFor(item);
      BITFETCH_RETURN_IF_ERROR(work.SpendOnText(part ? part->size() : 0));
      parts.push_back(part.value_or(TracedText()));
    }
  } else {
    return NotFor(value);
  }
  TracedText joined;
  for (size_t i = 0; i < parts.size(); ++i) {
    BITFETCH_RETURN_IF_ERROR(work.SpendOnText(separator.size() + parts[i].size(), joined.size()));
    if (i > 0) joined.Append(separator);
    joined.Append(parts[i]);
  }
  return joined;
}

// The value at a path as "function.name" or "items.0".
Result<Value> ValueAt(Value value, std::string_view path, Work& work) {
  while (true) {
    const size_t point = path.find('.');
    const std::string_view name = path.substr(0, point);
    const Value* found = nullptr;
    BITFETCH_RETURN_IF_ERROR(work.Spend(1));
    if (const Dict* dict = value.AsEntries()) {
      BITFETCH_RETURN_IF_ERROR(work.Spend(dict->entries.size() / 16));
      found = dict->Find(name);
    } else if (const List* list = value.AsList()) {
      size_t index = SIZE_MAX;
      std::from_chars(name.data(), name.data() + name.size(), index);
      if (index < list->items.size()) found = &list->items[index];
    }
    value = found != nullptr ? Value(*found) : Value();
    if (point == std::string_view::npos) return value;
    path.remove_prefix(point + 1);
  }
}

Result<Value> Sort(const Value& value, const Arguments& arguments, Work& work) {
  const List* list = value.AsList();
  if (list == nullptr) return NotFor(value);
  SortOptions options;
  BITFETCH_ASSIGN_OR_RETURN(options.reverse, Flag(arguments, 0, "reverse"));
  BITFETCH_ASSIGN_OR_RETURN(options.case_sensitive, Flag(arguments, 1, "case_sensitive"));
  const std::optional<TracedText> path = PlainText(arguments.Get(2, "attribute"));
  return Sorted(
      list->items,
      [&](const Value& item) -> Result<Value> {
        if (!path) return item;
        return ValueAt(item, path->bytes(), work);
      },
      options, work);
}

Result<Value> DictSort(const Value& value, const Arguments& arguments, Work& work) {
  const Dict* dict = value.AsDict();
  if (dict == nullptr) return NotFor(value);
  SortOptions options;
  BITFETCH_ASSIGN_OR_RETURN(options.case_sensitive, Flag(arguments, 0, "case_sensitive"));
  BITFETCH_ASSIGN_OR_RETURN(options.reverse, Flag(arguments, 2, "reverse"));
  const Value by = arguments.Get(1, "by");
  const size_t index = by.AsText() != nullptr && by.AsText()->bytes() == "value" ? 1 : 0;
  return Sorted(
      Items(*dict).AsList()->items, [&](const Value& item) { return item.AsList()->items[index]; },
      options, work);
}

Result<Value> DictItems(const Value& value, const Arguments&, Work& work) {
  if (value.AsDict() == nullptr) return NotFor(value);
  BITFETCH_RETURN_IF_ERROR(work.Spend(value.AsDict()->entries.size()));
  return Items(*value.AsDict());
}

template <bool wanted>
Result<Value> SelectByAttribute(const Value& value, const Arguments& arguments, Work& work) {
  const List* list = value.AsList();
  if (list == nullptr) return NotFor(value);
  const Value attribute = arguments.Get(0, "");
  const Value test = arguments.Get(1, "");
  if (attribute.AsText() == nullptr || (!test.IsUndefined() && test.AsText() == nullptr)) {
    return Fail("the attribute and the test have to be texts");
  }
  std::vector<Value> selected;
  for (const Value& item : list->items) {
    if (item.AsEntries() == nullptr) return Fail("{} has no attributes", item.TypeName());
    BITFETCH_RETURN_IF_ERROR(work.Spend(1 + item.AsEntries()->entries.size() / 16));
    const Value* found = item.AsEntries()->Find(attribute.AsText()->bytes());
    bool is = found != nullptr && found->IsTrue();
    if (found != nullptr && !test.IsUndefined()) {
      BITFETCH_ASSIGN_OR_RETURN(
          is, ApplyTest(test.AsText()->bytes(), *found, arguments.Get(2, ""), work));
    }
    if (is == wanted) selected.push_back(item);
  }
  return selected;
}

Result<Value> Map(const Value& value, const Arguments& arguments, Work& work) {
  const List* list = value.AsList();
  if (list == nullptr) return NotFor(value);
  const Value attribute = arguments.Named("attribute");
  if (attribute.AsText() == nullptr) return Fail("it is covered with an attribute alone");
  BITFETCH_RETURN_IF_ERROR(work.Spend(list->items.size()));
  std::vector<Value> mapped;
  for (const Value& item : list->items) {
    BITFETCH_ASSIGN_OR_RETURN(const Value found, ValueAt(item, attribute.AsText()->bytes(), work));
    mapped.push_back(found.IsUndefined() ? arguments.Named("default") : found);
  }
  return mapped;
}

struct Row {
  std::string_view name;
  Filter filter;
};

constexpr Row kFilters[] = {
    {"trim", Changed<Trimmed>},
    {"upper", Changed<Upper>},
    {"lower", Changed<Lower>},
    {"title", Changed<Title>},
    {"capitalize", Changed<Capitalized>},
    {"replace", Replace},
    {"indent", Indent},
    {"safe", Safe},
    {"default", Default},
    {"length", Length},
    {"string", String},
    {"tojson", Json},
    {"bool", Bool},
    {"abs", Abs},
    {"int", ToNumber<true>},
    {"float", ToNumber<false>},
    {"list", AsList},
    {"first", End<true>},
    {"last", End<false>},
    {"reverse", Reverse},
    {"unique", Unique},
    {"join", Join},
    {"sort", Sort},
    {"dictsort", DictSort},
    {"items", DictItems},
    {"selectattr", SelectByAttribute<true>},
    {"rejectattr", SelectByAttribute<false>},
    {"map", Map},
};

}  // namespace

Result<Value> ApplyFilter(std::string_view name, const Value& value, const Arguments& arguments,
                          Work& work) {
  const auto* row = std::ranges::find(kFilters, name, &Row::name);
  if (row == std::end(kFilters)) return Fail("there is no filter '{}'", Printable(name, 40));
  return row->filter(value, arguments, work).map_error([&](const Error& error) {
    return Error{fmt::format("the filter '{}': {}", name, error.message)};
  });
}

}  // namespace bitfetch::jinja
