// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_API_GUARDED_H_
#define BITFETCH_API_GUARDED_H_

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "bitfetch/bitfetch.h"

// From errors as values, and exceptions, to a bitfetch_status and bitfetch_last_error().
namespace bitfetch {

// Keeps the message for bitfetch_last_error() and returns `status`.
bitfetch_status Fails(bitfetch_status status, std::string_view message) noexcept;

// Runs `body`, which returns a bitfetch_status, and lets nothing through that it throws.
template <class Body>
bitfetch_status Guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Fails(BITFETCH_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return Fails(BITFETCH_FAILED, error.what());
  } catch (...) {
    return Fails(BITFETCH_FAILED, "an unknown error");
  }
}

inline bitfetch_status Told(const Status& status) {
  return status ? BITFETCH_OK : Fails(BITFETCH_FAILED, status.error().message);
}

// Of an argument that no state of the object, and no machine, would allow.
inline bitfetch_status Allowed(const Status& status) {
  return status ? BITFETCH_OK : Fails(BITFETCH_INVALID_ARGUMENT, status.error().message);
}

inline bitfetch_status NullPointer(std::string_view what) {
  return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("{} is a null pointer", what));
}

#define BITFETCH_REQUIRE(pointer) \
  if ((pointer) == nullptr) return NullPointer(#pointer)

#define BITFETCH_RETURN_IF_NOT_OK(expression) \
  if (const bitfetch_status status_ = (expression); status_ != BITFETCH_OK) return status_

// `to` as `parse` reads a name; null leaves it as it is.
template <class T, class Parse>
bitfetch_status ReadName(const char* what, const char* name, Parse parse, T* to) {
  if (name == nullptr) return BITFETCH_OK;
  auto read = parse(name);
  if (!read) {
    return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("{}: {}", what, read.error().message));
  }
  *to = *std::move(read);
  return BITFETCH_OK;
}

inline bitfetch_status CheckNotNegative(const char* what, int64_t value) {
  if (value >= 0) return BITFETCH_OK;
  return Fails(BITFETCH_INVALID_ARGUMENT, fmt::format("{}: {} is negative", what, value));
}

bitfetch_status CheckThreads(int threads);

}  // namespace bitfetch

#endif  // BITFETCH_API_GUARDED_H_
