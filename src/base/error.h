// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_ERROR_H_
#define BITFETCH_BASE_ERROR_H_

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "base/printable.h"

namespace bitfetch {

// What went wrong and where, as one line for a person, whatever it quotes: see OneLine. No final
// full stop, no "error:" in front.
struct Error {
  Error() = default;
  explicit Error(std::string_view text) : message(OneLine(text)) {}

  std::string message;
};

// A value, or the error that kept it from being made.
template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// `return Fail("{}: tensor {} has {} rows", path, name, rows);` from any function that returns a
// Result.
template <class... Args>
tl::unexpected<Error> Fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace bitfetch

// Hands an error on to the caller.
#define BITFETCH_RETURN_IF_ERROR(expression)             \
  do {                                                   \
    if (auto status_ = (expression); !status_) {         \
      return tl::unexpected(std::move(status_).error()); \
    }                                                    \
  } while (false)

// `BITFETCH_ASSIGN_OR_RETURN(const int64_t n, ParseCount(text));`
#define BITFETCH_ASSIGN_OR_RETURN(declaration, expression) \
  BITFETCH_ASSIGN_OR_RETURN_(BITFETCH_JOIN_(result_, __LINE__), declaration, expression)
#define BITFETCH_JOIN_(a, b) BITFETCH_JOIN2_(a, b)
#define BITFETCH_JOIN2_(a, b) a##b
#define BITFETCH_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                       \
  if (!result) return tl::unexpected(std::move(result).error());    \
  declaration = *std::move(result)

#endif  // BITFETCH_BASE_ERROR_H_
