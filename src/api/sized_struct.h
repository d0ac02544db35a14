// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_API_SIZED_STRUCT_H_
#define BITFETCH_API_SIZED_STRUCT_H_

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/error.h"

namespace bitfetch {

// Structs that a caller fills begin with `size_t struct_size`, which is what the caller's header
// gives them, and grow at their ends only. So a caller that was compiled against another version
// of the header is understood.

// Where `member` ends, the last one of the first version of `type`.
#define BITFETCH_FIRST_VERSION(type, member) (offsetof(type, member) + sizeof(type::member))

// Beyond, struct_size is no size but what happened to lie there.
inline constexpr size_t kMaxStructBytes = 4096;

inline Status CheckStructSize(const char* what, size_t struct_size, size_t first_version) {
  if (struct_size >= first_version && struct_size <= kMaxStructBytes) return {};
  return Fail("{}: struct_size is {}, not from {} to {} bytes", what, struct_size, first_version,
              kMaxStructBytes);
}

// Overwrites what `*to` holds, the defaults, with what the caller's version has of it. Errors: a
// size that is not possible; bytes other than zero in what a newer version has more than T.
template <class T>
Status ReadSized(const char* what, const T* from, size_t first_version, T* to) {
  const size_t size = from->struct_size;
  BITFETCH_RETURN_IF_ERROR(CheckStructSize(what, size, first_version));
  const auto* bytes = reinterpret_cast<const std::byte*>(from);
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  if (size > sizeof(T) && !std::all_of(bytes + sizeof(T), bytes + size, is_zero)) {
    return Fail("{}: has {} bytes, of which this version knows {}, and the others are not zero",
                what, size, sizeof(T));
  }
  std::memcpy(to, bytes, std::min(size, sizeof(T)));
  to->struct_size = sizeof(T);
  return {};
}

// The other way: `defaults`, as far as the caller's version has them, and zeros in what it has
// more.
template <class T>
Status WriteSized(const char* what, const T& defaults, size_t first_version, T* to,
                  size_t struct_size) {
  BITFETCH_RETURN_IF_ERROR(CheckStructSize(what, struct_size, first_version));
  std::memset(static_cast<void*>(to), 0, struct_size);
  std::memcpy(to, &defaults, std::min(struct_size, sizeof(T)));
  to->struct_size = struct_size;
  return {};
}

}  // namespace bitfetch

#endif  // BITFETCH_API_SIZED_STRUCT_H_
