// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_FUZZ_CHECK_H_
#define BITFETCH_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>

// What must hold whatever the input is: a fuzzer takes an abort for a finding.
#define FUZZ_CHECK(condition)                                                             \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

#endif  // BITFETCH_FUZZ_CHECK_H_
