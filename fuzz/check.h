// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_FUZZ_CHECK_H_
#define BITFETCH_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/printable.h"

// What must hold whatever the input is: a fuzzer takes an abort for a finding.
#define FUZZ_CHECK(condition)                                                             \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

namespace bitfetch {

// An error is one line, which begins with what it is about.
template <class T>
bool IsSound(const Result<T>& result, std::string_view about = {}) {
  if (result) return true;
  const std::string& message = result.error().message;
  FUZZ_CHECK(!message.empty() && message.starts_with(about) && OneLine(message) == message);
  return false;
}

}  // namespace bitfetch

#endif  // BITFETCH_FUZZ_CHECK_H_
