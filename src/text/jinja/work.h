// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_WORK_H_
#define BITFETCH_TEXT_JINJA_WORK_H_

#include <cstddef>

#include "base/error.h"

namespace bitfetch::jinja {

// What a rendering may still cost, so that no template takes more than a second or so or fills the
// memory. It is counted and not timed: a template that is rendered is so on every machine.
class Work {
 public:
  static constexpr size_t kMaxSteps = 2'000'000;
  static constexpr size_t kMaxTextBytes = size_t{8} << 20;

  // A step is about an expression's evaluation or an item of a list.
  Status Spend(size_t steps) {
    if (steps > left_) return Fail("rendering takes more than {} steps", kMaxSteps);
    left_ -= steps;
    return {};
  }
  // For a text that is made, or looked through, or that is put behind `before` bytes.
  Status SpendOnText(size_t bytes, size_t before = 0) {
    if (before > kMaxTextBytes || bytes > kMaxTextBytes - before) {
      return Fail("a text becomes longer than {} bytes", kMaxTextBytes);
    }
    return Spend(1 + bytes / 16);
  }

 private:
  size_t left_ = kMaxSteps;
};

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_WORK_H_
