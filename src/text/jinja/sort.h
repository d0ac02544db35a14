// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_SORT_H_
#define BITFETCH_TEXT_JINJA_SORT_H_

#include <functional>
#include <vector>

#include "base/error.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

struct SortOptions {
  bool reverse = false;
  bool case_sensitive = false;
};

// By what `key` gives for each; equal ones stay in their order. Numbers and truth values compare as
// numbers, texts by their bytes. An error: keys that don't compare.
Result<std::vector<Value>> Sorted(std::vector<Value> items,
                                  const std::function<Result<Value>(const Value&)>& key,
                                  const SortOptions& options, Work& work);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_SORT_H_
