// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_SANITIZED_H_
#define BITFETCH_BASE_SANITIZED_H_

// For tests: which sanitizer is at work. GCC says it by a macro, Clang by a feature.
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define BITFETCH_ADDRESS_SANITIZER 1
#else
#define BITFETCH_ADDRESS_SANITIZER 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define BITFETCH_THREAD_SANITIZER 1
#else
#define BITFETCH_THREAD_SANITIZER 0
#endif

namespace bitfetch {

// They are slow, take memory of their own, and end the program where they get none.
inline constexpr bool kIsSanitized = BITFETCH_ADDRESS_SANITIZER || BITFETCH_THREAD_SANITIZER;

}  // namespace bitfetch

#endif  // BITFETCH_BASE_SANITIZED_H_
