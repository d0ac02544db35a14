// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/functions.h"

#include <cmath>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"

namespace bitfetch::jinja {

Result<Value> Range(const Arguments& arguments, Work& work) {
  double parts[3] = {0, 0, 1};
  const size_t given = arguments.positional.size();
  if (given < 1 || given > 3) return Fail("range() takes one to three numbers");
  for (size_t i = 0; i < given; ++i) {
    const Number* number = arguments.positional[i].AsNumber();
    if (number == nullptr) return Fail("range() takes numbers");
    parts[given == 1 ? 1 : i] = number->value;
  }
  const auto [start, stop, step] = parts;
  if (step == 0) return Fail("range() has a step of 0");
  const double count = std::ceil((stop - start) / step);
  if (!(count > 0)) return std::vector<Value>();
  BITFETCH_RETURN_IF_ERROR(
      work.Spend(static_cast<size_t>(std::min(count, static_cast<double>(Work::kMaxSteps + 1)))));
  std::vector<Value> numbers;
  for (double i = 0; i < count; ++i) numbers.push_back(Value::Integer(start + i * step));
  return numbers;
}

Result<Value> StrftimeNow(const Arguments& arguments, Work& work) {
  const TracedText* format =
      arguments.positional.empty() ? nullptr : arguments.positional[0].AsText();
  if (format == nullptr) return Fail("strftime_now() takes a format");
  constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
  BITFETCH_RETURN_IF_ERROR(work.SpendOnText(format->size()));
  const std::time_t now = std::time(nullptr);
  std::tm time = {};
  localtime_r(&now, &time);
  std::string text;
  const std::string_view bytes = format->bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char letter = bytes[i] == '%' && i + 1 < bytes.size() ? bytes[i + 1] : '\0';
    std::optional<std::string> part;
    if (letter == 'Y') part = fmt::format("{}", time.tm_year + 1900);
    if (letter == 'm') part = fmt::format("{:02}", time.tm_mon + 1);
    if (letter == 'd') part = fmt::format("{:02}", time.tm_mday);
    if (letter == 'b') part = kMonths[time.tm_mon].substr(0, 3);
    if (letter == 'B') part = kMonths[time.tm_mon];
    if (letter == 'H') part = fmt::format("{:02}", time.tm_hour);
    if (letter == 'M') part = fmt::format("{:02}", time.tm_min);
    if (letter == '%') part = "%";
    if (part) ++i;
    text += part.value_or(std::string(1, bytes[i]));
  }
  return Value::Own(std::move(text));
}

Result<Value> RaiseException(const Arguments& arguments, Work&) {
  const TracedText* message =
      arguments.positional.empty() ? nullptr : arguments.positional[0].AsText();
  return Fail("the template says: {}",
              message != nullptr ? Printable(message->bytes(), 200) : "an error");
}

}  // namespace bitfetch::jinja
