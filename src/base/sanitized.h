// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_SANITIZED_H_
#define BITFETCH_BASE_SANITIZED_H_

namespace bitfetch {

// For tests: whether the address or the thread sanitizer is at work, which takes memory of its own
// and ends the program where it gets none.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kIsSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace bitfetch

#endif  // BITFETCH_BASE_SANITIZED_H_
