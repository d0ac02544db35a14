// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/format_pattern.h"

#include <algorithm>
#include <iterator>

namespace bitfetch {
namespace {

// RFC 3339. The 29th of February is in years that 4 divides, and of hundreds in those that 400
// does.
#define DATE                                                                          \
  "(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|" \
  "02-(0[1-9]|1\\d|2[0-8]))|(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|"    \
  "[13579][26])00)-02-29)"
#define TIME "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
// Hyphens only between others, not two together: names that begin with "xn--" mean something else.
#define LABEL "[A-Za-z0-9](-?[A-Za-z0-9]){0,30}"
#define WORD "[A-Za-z0-9_+-]+"
#define BYTE "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"

struct FormatOf {
  std::string_view format;
  std::string_view pattern;
};

constexpr FormatOf kFormats[] = {
    {"date", "^" DATE "$"},
    {"time", "^" TIME "$"},
    {"date-time", "^" DATE "T" TIME "$"},
    // ISO 8601, as RFC 3339 has it, one unit after the other.
    {"duration",
     "^P(\\d{1,9}W|(\\d{1,9}Y(\\d{1,9}M(\\d{1,9}D)?)?|\\d{1,9}M(\\d{1,9}D)?|\\d{1,9}D)"
     "(T(\\d{1,9}H(\\d{1,9}M(\\d{1,9}S)?)?|\\d{1,9}M(\\d{1,9}S)?|\\d{1,9}S))?|"
     "T(\\d{1,9}H(\\d{1,9}M(\\d{1,9}S)?)?|\\d{1,9}M(\\d{1,9}S)?|\\d{1,9}S))$"},
    {"email", "^" WORD "(\\." WORD ")*@" LABEL "(\\." LABEL ")+$"},
    {"hostname", "^" LABEL "(\\." LABEL "){0,3}$"},
    {"ipv4", "^" BYTE "(\\." BYTE "){3}$"},
    {"ipv6", "^[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){7}$"},
    {"uuid", "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
};

#undef DATE
#undef TIME
#undef LABEL
#undef WORD
#undef BYTE

}  // namespace

std::string_view FormatPattern(std::string_view format) {
  const auto found = std::ranges::find(kFormats, format, &FormatOf::format);
  return found == std::end(kFormats) ? std::string_view() : found->pattern;
}

}  // namespace bitfetch
