// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_TRACED_TEXT_H_
#define BITFETCH_TEXT_JINJA_TRACED_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {

// A text that knows of each byte who wrote it: the chat template, whose bytes may name control
// tokens, or somebody else (a user, a model, whoever described a tool), whose bytes are text
// whatever they look like. It follows them through whatever a template does to texts.
class TracedText {
 public:
  enum class Author : bool { kTemplate, kOther };

  // Bytes of one author, up to the offset `end`. Neighbours differ in their author.
  struct Run {
    size_t end;
    Author author;
    bool operator==(const Run&) const = default;
  };

  TracedText() = default;
  TracedText(std::string bytes, Author author);

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  const std::vector<Run>& runs() const { return runs_; }

  void Append(const TracedText& more);  // another text
  // At most `size` bytes from `begin` on, which is no further than the end.
  TracedText Slice(size_t begin, size_t size = std::string::npos) const;
  // The same bytes by the same authors come first.
  bool StartsWith(const TracedText& first) const;
  // A byte for each, by the same author.
  template <class Function>
  TracedText Mapped(Function function) const {
    TracedText mapped = *this;
    for (char& byte : mapped.bytes_) byte = function(byte);
    return mapped;
  }

  bool operator==(const TracedText&) const = default;

 private:
  std::string bytes_;
  std::vector<Run> runs_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_JINJA_TRACED_TEXT_H_
