// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_VALUE_H_
#define BITFETCH_TEXT_JINJA_VALUE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/traced_text.h"

namespace bitfetch::jinja {

struct Macro;
class Value;

struct Undefined {};
struct None {};

// As in JavaScript, whose renderer of templates is the one to agree with: whole numbers are doubles
// too, but know that they are whole.
struct Number {
  double value = 0;
  bool is_float = false;
};

struct List {
  std::vector<Value> items;
  int depth = 1;  // of lists and dicts within each other
};

// Keys are in the order in which they were first set.
struct Dict {
  std::vector<std::pair<std::string, Value>> entries;
  int depth = 1;

  const Value* Find(std::string_view key) const;
  void Set(std::string_view key, Value value);
};

// What a template can call: a macro of its own, a method of a value, or a function that every
// template has.
struct Function {
  std::string_view name;  // outlives the rendering
  const Macro* macro = nullptr;
  std::shared_ptr<const Value> self = nullptr;
};

// What a template computes with. Copies are cheap and share what they hold, which does not change;
// but for namespaces, which are their renderer's, so that one that holds itself is no leak.
class Value {
 public:
  Value() = default;  // undefined
  // NOLINTBEGIN(google-explicit-constructor): each stands for what it is made of.
  Value(None none) : is_(none) {}
  Value(bool truth) : is_(truth) {}
  Value(Number number) : is_(number) {}
  Value(TracedText text) : is_(std::make_shared<const TracedText>(std::move(text))) {}
  Value(std::vector<Value> items);
  Value(Dict dict);
  Value(Dict* name_space) : is_(name_space) {}
  Value(Function function) : is_(std::move(function)) {}
  // NOLINTEND(google-explicit-constructor)
  // Of other types, pointers above all, none becomes a truth value unasked.
  template <class T>
  Value(T) = delete;

  static Value Integer(double value) { return Number{value, false}; }
  static Value Float(double value) { return Number{value, true}; }
  // Text of the program's or the template's own, and text of somebody else.
  static Value Own(std::string text);
  static Value Foreign(std::string text);

  bool IsUndefined() const { return Holds<Undefined>(); }
  bool IsNone() const { return Holds<None>(); }
  // What it is, or null if it is something else.
  const bool* AsBool() const { return std::get_if<bool>(&is_); }
  const Number* AsNumber() const { return std::get_if<Number>(&is_); }
  const TracedText* AsText() const { return Shared<TracedText>(); }
  const List* AsList() const { return Shared<List>(); }
  const Dict* AsDict() const { return Shared<Dict>(); }
  Dict* AsNamespace() const;
  const Function* AsFunction() const { return std::get_if<Function>(&is_); }
  // A dict's or a namespace's entries.
  const Dict* AsEntries() const;

  bool IsTrue() const;
  int depth() const;  // of lists and dicts within each other, a method's own too; 0: none
  std::string_view TypeName() const;

 private:
  template <class T>
  bool Holds() const {
    return std::holds_alternative<T>(is_);
  }
  template <class T>
  const T* Shared() const {
    const auto* shared = std::get_if<std::shared_ptr<const T>>(&is_);
    return shared == nullptr ? nullptr : shared->get();
  }

  std::variant<Undefined, None, bool, Number, std::shared_ptr<const TracedText>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, Dict*, Function>
      is_;
};

// JavaScript's ==, which takes "1", 1 and true for one another.
bool LooselyEqual(const Value& a, const Value& b);
// The same type and the same value; lists and dicts only if they are one.
bool StrictlyEqual(const Value& a, const Value& b);

// As JavaScript writes it: the fewest digits that give the number back. `with_point`: 2 as "2.0".
std::string NumberText(double number, bool with_point = false);
// What a number, a truth value or a text is as a text (floats `with_point`, or joined to others
// without); of other types, nothing.
std::optional<TracedText> PlainText(const Value& value, bool with_point = false);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_VALUE_H_
