// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_FIELD_TITLE_H_
#define BITFETCH_BENCH_FIELD_TITLE_H_

#include <string>
#include <string_view>

namespace bitfetch {

// What a table for people has at its head for a field of a benchmark's rows, with the unit.
std::string FieldTitle(std::string_view field);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_FIELD_TITLE_H_
