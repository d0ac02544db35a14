// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/sort.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/jinja/text.h"

namespace bitfetch::jinja {
namespace {

struct Keyed {
  Value key;
  Value item;
};

std::optional<double> AsComparable(const Value& value) {
  if (const bool* truth = value.AsBool()) return *truth ? 1 : 0;
  if (const Number* number = value.AsNumber()) return number->value;
  return std::nullopt;
}

Result<bool> IsLess(const Value& a, const Value& b, Work& work) {
  const std::optional<double> left = AsComparable(a);
  const std::optional<double> right = AsComparable(b);
  BITFETCH_RETURN_IF_ERROR(work.Spend(1));
  if (left && right) return *left < *right;
  if (a.AsText() && b.AsText()) {
    BITFETCH_RETURN_IF_ERROR(work.SpendOnText(std::min(a.AsText()->size(), b.AsText()->size())));
    return a.AsText()->bytes() < b.AsText()->bytes();
  }
  if ((a.IsNone() && b.IsNone()) || (a.IsUndefined() && b.IsUndefined())) return false;
  return Fail("{} and {} don't compare", a.TypeName(), b.TypeName());
}

}  // namespace

Result<std::vector<Value>> Sorted(std::vector<Value> items,
                                  const std::function<Result<Value>(const Value&)>& key,
                                  const SortOptions& options, Work& work) {
  std::vector<Keyed> keyed;
  for (Value& item : items) {
    BITFETCH_ASSIGN_OR_RETURN(Value by, key(item));
    if (by.AsText() && !options.case_sensitive) {
      BITFETCH_RETURN_IF_ERROR(work.SpendOnText(by.AsText()->size()));
      by = Lower(*by.AsText());
    }
    keyed.push_back({std::move(by), std::move(item)});
  }
  // Merging goes through what it has whatever the comparison says, also after an error.
  Status status;
  std::ranges::stable_sort(keyed, [&](const Keyed& a, const Keyed& b) {
    if (!status) return false;
    const Result<bool> less =
        options.reverse ? IsLess(b.key, a.key, work) : IsLess(a.key, b.key, work);
    if (!less) status = tl::unexpected(less.error());
    return less && *less;
  });
  BITFETCH_RETURN_IF_ERROR(std::move(status));
  std::vector<Value> sorted;
  for (Keyed& each : keyed) sorted.push_back(std::move(each.item));
  return sorted;
}

}  // namespace bitfetch::jinja
