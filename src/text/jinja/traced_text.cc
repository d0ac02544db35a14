// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/traced_text.h"

#include <algorithm>
#include <utility>

namespace bitfetch {

TracedText::TracedText(std::string bytes, Author author) : bytes_(std::move(bytes)) {
  if (!bytes_.empty()) runs_ = {{bytes_.size(), author}};
}

void TracedText::Append(const TracedText& more) {
  const size_t before = bytes_.size();
  bytes_ += more.bytes_;
  for (const Run& run : more.runs_) {
    if (!runs_.empty() && runs_.back().author == run.author) {
      runs_.back().end = before + run.end;
    } else {
      runs_.push_back({before + run.end, run.author});
    }
  }
}

TracedText TracedText::Slice(size_t begin, size_t size) const {
  TracedText slice;
  slice.bytes_ = bytes_.substr(begin, size);
  const size_t end = begin + slice.bytes_.size();
  if (begin == end) return slice;
  auto run = std::ranges::upper_bound(runs_, begin, {}, &Run::end);
  for (; run->end < end; ++run) slice.runs_.push_back({run->end - begin, run->author});
  slice.runs_.push_back({end - begin, run->author});
  return slice;
}

bool TracedText::StartsWith(const TracedText& first) const {
  return bytes_.starts_with(first.bytes_) && Slice(0, first.size()).runs_ == first.runs_;
}

}  // namespace bitfetch
