// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/render.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/functions.h"
#include "text/jinja/json.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/predicates.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {
namespace {

constexpr int kMaxNesting = 500;
constexpr int kMaxValueDepth = 100;

// Variables, and around them those of the loop, the macro's caller and so on.
struct Scope {
  explicit Scope(const Scope* outer)
      : around(outer), depth(outer != nullptr ? outer->depth + 1 : 0) {}

  const Scope* around;
  int depth;
  std::map<std::string, Value, std::less<>> variables = {};

  Value Find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->around) {
      const auto found = scope->variables.find(name);
      if (found != scope->variables.end()) return found->second;
    }
    return {};
  }
  void Set(const std::string& name, Value value) {
    variables.insert_or_assign(name, std::move(value));
  }
};

template <class T>
T AtLine(int line, T result) {
  return std::move(result).map_error(
      [&](const Error& error) { return Error{fmt::format("line {}: {}", line, error.message)}; });
}

class Renderer {
 public:
  Result<TracedText> Run(const Block& program, const Dict& variables) {
    Scope scope(nullptr);
    for (const std::string_view name : {"range", "strftime_now", "raise_exception", "namespace"}) {
      scope.Set(std::string(name), Function{name});
    }
    for (const char* name : {"true", "True"}) scope.Set(name, true);
    for (const char* name : {"false", "False"}) scope.Set(name, false);
    for (const char* name : {"none", "None"}) scope.Set(name, None());
    for (const auto& [name, value] : variables.entries) {
      if (const Status shallow = CheckDepth(value); !shallow) {
        return Fail("{}: {}", name, shallow.error().message);
      }
      scope.Set(name, value);
    }
    TracedText text;
    BITFETCH_RETURN_IF_ERROR(RenderBlock(program, scope, &text));
    return text;
  }

 private:
  // How a block ended.
  enum class End { kUsual, kBreak, kContinue };

  // --- statements

  Result<End> RenderBlock(const Block& block, Scope& scope, TracedText* out) {
    for (const Statement& statement : block) {
      ++nesting_;
      Result<End> end = RenderStatement(statement, scope, out);
      --nesting_;
      if (!end || *end != End::kUsual) return end;
    }
    return End::kUsual;
  }

  Result<End> RenderStatement(const Statement& statement, Scope& scope, TracedText* out) {
    BITFETCH_RETURN_IF_ERROR(AtLine(statement.line, Step()));
    if (const Print* print = std::get_if<Print>(&statement.what)) {
      BITFETCH_ASSIGN_OR_RETURN(const Value value, Evaluate(*print->value, scope));
      BITFETCH_RETURN_IF_ERROR(AtLine(statement.line, Write(value, out)));
    } else if (const Set* set = std::get_if<Set>(&statement.what)) {
      BITFETCH_RETURN_IF_ERROR(RunSet(*set, statement.line, scope));
    } else if (const If* branches = std::get_if<If>(&statement.what)) {
      return RenderIf(*branches, scope, out);
    } else if (const For* loop = std::get_if<For>(&statement.what)) {
      return RenderFor(*loop, statement.line, scope, out);
    } else if (const Macro* macro = std::get_if<Macro>(&statement.what)) {
      scope.Set(macro->name, Function{macro->name, macro});
    } else {
      return std::get<Jump>(statement.what) == Jump::kBreak ? End::kBreak : End::kContinue;
    }
    return End::kUsual;
  }

  Status Write(const Value& value, TracedText* out) {
    if (value.IsUndefined() || value.IsNone()) return {};
    std::optional<TracedText> text = PlainText(value, /*with_point=*/true);
    if (!text) {
      BITFETCH_ASSIGN_OR_RETURN(text, ToJson(value, {.undefined = "undefined"}, work_));
    }
    BITFETCH_RETURN_IF_ERROR(work_.SpendOnText(text->size(), out->size()));
    out->Append(*text);
    return {};
  }

  Status RunSet(const Set& set, int line, Scope& scope) {
    Value value;
    if (set.value != nullptr) {
      BITFETCH_ASSIGN_OR_RETURN(value, Evaluate(*set.value, scope));
    } else {
      TracedText text;
      BITFETCH_RETURN_IF_ERROR(RenderBlock(set.body, scope, &text));
      value = std::move(text);
    }
    if (set.name_space == nullptr) return AtLine(line, Assign(set.names, value, scope));
    BITFETCH_ASSIGN_OR_RETURN(const Value target, Evaluate(*set.name_space, scope));
    if (target.AsNamespace() == nullptr) {
      return Fail("line {}: {} is {}, no namespace", line, set.name_space->name, target.TypeName());
    }
    BITFETCH_RETURN_IF_ERROR(AtLine(line, work_.Spend(target.AsNamespace()->entries.size() / 16)));
    target.AsNamespace()->Set(set.names[0], std::move(value));
    return {};
  }

  // To one name, or the items of a list to several.
  Status Assign(const std::vector<std::string>& names, const Value& value, Scope& scope) {
    if (names.size() == 1) {
      scope.Set(names[0], value);
      return {};
    }
    const List* list = value.AsList();
    if (list == nullptr || list->items.size() != names.size()) {
      return Fail("{} names stand for the items of {}", names.size(),
                  list == nullptr ? std::string(value.TypeName())
                                  : fmt::format("a list of {}", list->items.size()));
    }
    BITFETCH_RETURN_IF_ERROR(work_.Spend(4 * names.size()));
    for (size_t i = 0; i < names.size(); ++i) scope.Set(names[i], list->items[i]);
    return {};
  }

  Result<End> RenderIf(const If& branches, Scope& scope, TracedText* out) {
    for (const If::Branch& branch : branches.branches) {
      if (branch.condition != nullptr) {
        BITFETCH_ASSIGN_OR_RETURN(const Value condition, Evaluate(*branch.condition, scope));
        if (!condition.IsTrue()) continue;
      }
      return RenderBlock(branch.body, scope, out);
    }
    return End::kUsual;
  }

  // As in the renderer to agree with, one scope is all iterations', what an iteration wrote before
  // it was broken off is dropped, and the else block follows where no iteration came to its end.
  Result<End> RenderFor(const For& loop, int line, Scope& around, TracedText* out) {
    Scope scope(&around);
    BITFETCH_ASSIGN_OR_RETURN(const std::vector<Value> items, LoopItems(loop, line, scope));
    const size_t count = items.size();
    const auto integer = [](size_t i) { return Value::Integer(static_cast<double>(i)); };
    bool none_ended = true;
    for (size_t i = 0; i < count; ++i) {
      BITFETCH_RETURN_IF_ERROR(AtLine(line, work_.Spend(10)));
      Dict about;
      for (const auto& [name, value] : {std::pair<const char*, Value>("index", integer(i + 1)),
                                        {"index0", integer(i)},
                                        {"revindex", integer(count - i)},
                                        {"revindex0", integer(count - i - 1)},
                                        {"first", i == 0},
                                        {"last", i + 1 == count},
                                        {"length", integer(count)},
                                        {"previtem", i > 0 ? items[i - 1] : Value()},
                                        {"nextitem", i + 1 < count ? items[i + 1] : Value()}}) {
        about.Set(name, value);
      }
      scope.Set("loop", std::move(about));
      BITFETCH_RETURN_IF_ERROR(AtLine(line, Assign(loop.names, items[i], scope)));
      TracedText text;
      BITFETCH_ASSIGN_OR_RETURN(const End end, RenderBlock(loop.body, scope, &text));
      if (end == End::kBreak) break;
      if (end == End::kContinue) continue;
      none_ended = false;
      BITFETCH_RETURN_IF_ERROR(AtLine(line, Write(std::move(text), out)));
    }
    if (!none_ended) return End::kUsual;
    return RenderBlock(loop.otherwise, scope, out);
  }

  // Those that a loop goes through.
  Result<std::vector<Value>> LoopItems(const For& loop, int line, Scope& scope) {
    BITFETCH_ASSIGN_OR_RETURN(const Value all, Evaluate(*loop.items, scope));
    std::vector<Value> items;
    if (const List* list = all.AsList()) {
      items = list->items;
    } else if (const Dict* dict = all.AsDict()) {
      for (const auto& entry : dict->entries) items.push_back(Value::Foreign(entry.first));
    } else {
      return Fail("line {}: a loop can't go through {}", line, all.TypeName());
    }
    BITFETCH_RETURN_IF_ERROR(AtLine(line, work_.Spend(items.size())));
    if (loop.condition == nullptr) return items;
    std::vector<Value> chosen;
    for (Value& item : items) {
      Scope inner(&scope);
      BITFETCH_RETURN_IF_ERROR(AtLine(line, Assign(loop.names, item, inner)));
      BITFETCH_ASSIGN_OR_RETURN(const Value condition, Evaluate(*loop.condition, inner));
      if (condition.IsTrue()) chosen.push_back(std::move(item));
    }
    return chosen;
  }

  // --- expressions

  Status Step() {
    if (nesting_ > kMaxNesting) {
      return Fail("it goes more than {} levels deep: a macro may call itself", kMaxNesting);
    }
    return work_.Spend(1);
  }

  static Status CheckDepth(const Value& value) {
    if (value.depth() <= kMaxValueDepth) return {};
    return Fail("lists are more than {} levels deep", kMaxValueDepth);
  }

  Result<Value> Evaluate(const Expression& expression, Scope& scope) {
    ++nesting_;
    Result<Value> value = EvaluateKind(expression, scope);
    --nesting_;
    if (value) BITFETCH_RETURN_IF_ERROR(AtLine(expression.line, CheckDepth(*value)));
    return value;
  }

  Result<Value> EvaluateKind(const Expression& expression, Scope& scope) {
    const int line = expression.line;
    BITFETCH_RETURN_IF_ERROR(AtLine(line, Step()));
    switch (expression.kind) {
      case Expression::kLiteral:
        return expression.literal;
      case Expression::kName:
        BITFETCH_RETURN_IF_ERROR(AtLine(line, work_.Spend(static_cast<size_t>(scope.depth) / 4)));
        return scope.Find(expression.name);
      case Expression::kList:
        return EvaluateList(expression, scope);
      case Expression::kDict:
        return EvaluateDict(expression, scope);
      case Expression::kCall:
        return EvaluateCall(expression, scope);
      case Expression::kConditional: {
        BITFETCH_ASSIGN_OR_RETURN(const Value condition, Evaluate(*expression.operands[1], scope));
        if (condition.IsTrue()) return Evaluate(*expression.operands[0], scope);
        if (expression.operands.size() < 3) return Value();
        return Evaluate(*expression.operands[2], scope);
      }
      default:
        break;
    }
    // The others do something to their first operand.
    BITFETCH_ASSIGN_OR_RETURN(const Value first, Evaluate(*expression.operands[0], scope));
    switch (expression.kind) {
      case Expression::kMember: {
        BITFETCH_ASSIGN_OR_RETURN(const Value key, Evaluate(*expression.operands[1], scope));
        return AtLine(line, MemberOf(first, key, work_));
      }
      case Expression::kSlice:
        return EvaluateSlice(expression, first, scope);
      case Expression::kFilter: {
        BITFETCH_ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(expression, scope));
        return AtLine(line, ApplyFilter(expression.name, first, arguments, work_));
      }
      case Expression::kTest: {
        BITFETCH_ASSIGN_OR_RETURN(const bool holds,
                                  AtLine(line, ApplyTest(expression.name, first, {}, work_)));
        return holds != expression.negated;
      }
      case Expression::kUnary:
        return AtLine(line, ApplyUnary(expression.name, first));
      default:
        break;
    }
    if (expression.name == "and" || expression.name == "or") {
      if (first.IsTrue() == (expression.name == "or")) return first;
      return Evaluate(*expression.operands[1], scope);
    }
    BITFETCH_ASSIGN_OR_RETURN(const Value second, Evaluate(*expression.operands[1], scope));
    return AtLine(line, ApplyBinary(expression.name, first, second, work_));
  }

  Result<Value> EvaluateList(const Expression& expression, Scope& scope) {
    std::vector<Value> items;
    for (const ExpressionPointer& operand : expression.operands) {
      BITFETCH_ASSIGN_OR_RETURN(Value item, Evaluate(*operand, scope));
      items.push_back(std::move(item));
    }
    return items;
  }

  Result<Value> EvaluateDict(const Expression& expression, Scope& scope) {
    Dict dict;
    for (size_t i = 0; i < expression.operands.size(); i += 2) {
      BITFETCH_ASSIGN_OR_RETURN(const Value key, Evaluate(*expression.operands[i], scope));
      BITFETCH_ASSIGN_OR_RETURN(Value value, Evaluate(*expression.operands[i + 1], scope));
      if (key.AsText() == nullptr) {
        return Fail("line {}: {} is no key", expression.line, key.TypeName());
      }
      BITFETCH_RETURN_IF_ERROR(AtLine(expression.line, work_.Spend(1 + i / 16)));
      dict.Set(key.AsText()->bytes(), std::move(value));
    }
    return dict;
  }

  Result<Value> EvaluateSlice(const Expression& expression, const Value& object, Scope& scope) {
    std::optional<double> bounds[3];
    for (size_t i = 0; i < 3; ++i) {
      const ExpressionPointer& operand = expression.operands[i + 1];
      if (operand == nullptr) continue;
      BITFETCH_ASSIGN_OR_RETURN(const Value bound, Evaluate(*operand, scope));
      if (bound.IsUndefined()) continue;
      if (bound.AsNumber() == nullptr) {
        return Fail("line {}: a slice has {} for a number", expression.line, bound.TypeName());
      }
      bounds[i] = bound.AsNumber()->value;
    }
    return AtLine(expression.line, SliceOf(object, bounds[0], bounds[1], bounds[2], work_));
  }

  // Of a call or a filter: all but its first operand.
  Result<Arguments> EvaluateArguments(const Expression& expression, Scope& scope) {
    Arguments arguments;
    for (size_t i = 1; i < expression.operands.size(); ++i) {
      BITFETCH_ASSIGN_OR_RETURN(Value value, Evaluate(*expression.operands[i], scope));
      arguments.positional.push_back(std::move(value));
    }
    for (const auto& [name, operand] : expression.keywords) {
      BITFETCH_ASSIGN_OR_RETURN(Value value, Evaluate(*operand, scope));
      arguments.keywords.emplace_back(name, std::move(value));
    }
    return arguments;
  }

  Result<Value> EvaluateCall(const Expression& expression, Scope& scope) {
    BITFETCH_ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(expression, scope));
    const Expression& called = *expression.operands[0];
    BITFETCH_ASSIGN_OR_RETURN(const Value callee, Evaluate(called, scope));
    const Function* function = callee.AsFunction();
    if (function == nullptr) {
      return Fail("line {}: {} is called, but it is no function", expression.line,
                  called.kind == Expression::kName ? Printable(called.name, 40)
                                                   : std::string(callee.TypeName()));
    }
    if (function->macro != nullptr) {
      return CallMacro(*function->macro, arguments, expression.line, scope);
    }
    return AtLine(expression.line, function->self != nullptr
                                       ? CallMethod(*function, arguments, work_)
                                       : CallGlobal(function->name, arguments));
  }

  Result<Value> CallGlobal(std::string_view name, const Arguments& arguments) {
    if (name == "range") return Range(arguments, work_);
    if (name == "strftime_now") return StrftimeNow(arguments, work_);
    if (name == "raise_exception") return RaiseException(arguments, work_);
    Dict& made = *namespaces_.emplace_back(std::make_unique<Dict>());
    if (!arguments.positional.empty()) {
      const Dict* from = arguments.positional[0].AsDict();
      if (from == nullptr || arguments.positional.size() > 1) {
        return Fail("namespace() takes a dict and named values");
      }
      BITFETCH_RETURN_IF_ERROR(work_.Spend(from->entries.size()));
      made = *from;
    }
    const size_t keywords = arguments.keywords.size();
    BITFETCH_RETURN_IF_ERROR(work_.Spend(keywords * (keywords + made.entries.size()) / 16));
    for (const auto& [key, value] : arguments.keywords) made.Set(key, value);
    return Value(&made);
  }

  // A macro sees the variables of where it is called.
  Result<Value> CallMacro(const Macro& macro, const Arguments& arguments, int line, Scope& around) {
    Scope scope(&around);
    BITFETCH_RETURN_IF_ERROR(
        AtLine(line, work_.Spend(macro.parameters.size() * (1 + arguments.keywords.size()))));
    size_t used = 0;
    std::vector<const Macro::Parameter*> left_out;
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
      const Macro::Parameter& parameter = macro.parameters[i];
      const bool is_named = std::ranges::any_of(
          arguments.keywords, [&](const auto& keyword) { return keyword.first == parameter.name; });
      if (i < arguments.positional.size() || is_named) {
        ++used;
      } else {
        left_out.push_back(&parameter);
      }
      scope.Set(parameter.name, arguments.Get(i, parameter.name));
    }
    if (used != arguments.positional.size() + arguments.keywords.size()) {
      return Fail("line {}: the macro {} does not take all of these arguments", line, macro.name);
    }
    for (const Macro::Parameter* parameter : left_out) {
      if (parameter->usual == nullptr) continue;
      BITFETCH_ASSIGN_OR_RETURN(Value usual, Evaluate(*parameter->usual, scope));
      scope.Set(parameter->name, std::move(usual));
    }
    TracedText text;
    BITFETCH_RETURN_IF_ERROR(RenderBlock(macro.body, scope, &text));
    return Value(std::move(text));
  }

  Work work_;
  int nesting_ = 0;
  std::vector<std::unique_ptr<Dict>> namespaces_;
};

}  // namespace

Result<TracedText> Render(const Block& program, const Dict& variables) {
  return Renderer().Run(program, variables);
}

}  // namespace bitfetch::jinja
