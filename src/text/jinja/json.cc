// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/json.h"

#include <cmath>
#include <string_view>
#include <utility>

namespace bitfetch::jinja {
namespace {

constexpr size_t kMaxJsonDepth = 100;  // of namespaces too, which may hold themselves

class JsonWriter {
 public:
  JsonWriter(const JsonOptions& options, Work& work) : options_(options), work_(work) {}

  Status Write(const Value& value) {
    if (value.IsNone()) return Append("null");
    if (value.IsUndefined()) return Append(options_.undefined);
    if (const bool* truth = value.AsBool()) return Append(*truth ? "true" : "false");
    if (const Number* number = value.AsNumber()) {
      return Append(std::isfinite(number->value) ? NumberText(number->value) : "null");
    }
    if (const TracedText* text = value.AsText()) return WriteString(text->bytes());
    if (const List* list = value.AsList()) {
      return WriteItems("[", "]", list->items, [&](const Value& item) { return Write(item); });
    }
    if (const Dict* dict = value.AsEntries()) {
      return WriteItems("{", "}", dict->entries, [&](const auto& entry) -> Status {
        BITFETCH_RETURN_IF_ERROR(WriteString(entry.first));
        BITFETCH_RETURN_IF_ERROR(Append(options_.after_key));
        return Write(entry.second);
      });
    }
    return Fail("{} can't be written as JSON", value.TypeName());
  }

  std::string Take() { return std::move(json_); }

 private:
  Status Append(std::string_view text) {
    BITFETCH_RETURN_IF_ERROR(work_.SpendOnText(text.size(), json_.size()));
    json_ += text;
    return {};
  }

  Status WriteString(std::string_view text) {
    constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
    constexpr std::string_view kLetters = "\"\\bfnrt";
    std::string escaped = "\"";
    for (const char c : text) {
      if (const size_t at = kEscaped.find(c); at != std::string_view::npos) {
        escaped += {'\\', kLetters[at]};
      } else if (static_cast<unsigned char>(c) < 0x20) {
        escaped += fmt::format("\\u{:04x}", static_cast<int>(c));
      } else {
        escaped += c;
      }
    }
    return Append(escaped + '"');
  }

  template <class Items, class WriteItem>
  Status WriteItems(std::string_view open, std::string_view close, const Items& items,
                    WriteItem write_item) {
    if (++depth_ > kMaxJsonDepth) return Fail("what holds itself can't be written as JSON");
    BITFETCH_RETURN_IF_ERROR(Append(open));
    for (const auto& item : items) {
      if (&item != &items.front()) BITFETCH_RETURN_IF_ERROR(Append(options_.between_items));
      BITFETCH_RETURN_IF_ERROR(BreakLine());
      BITFETCH_RETURN_IF_ERROR(write_item(item));
    }
    --depth_;
    if (!items.empty()) BITFETCH_RETURN_IF_ERROR(BreakLine());
    return Append(close);
  }

  Status BreakLine() {
    if (options_.indent == 0) return {};
    return Append('\n' + std::string(depth_ * options_.indent, ' '));
  }

  const JsonOptions& options_;
  Work& work_;
  std::string json_;
  size_t depth_ = 0;
};

}  // namespace

Result<TracedText> ToJson(const Value& value, const JsonOptions& options, Work& work) {
  JsonWriter writer(options, work);
  BITFETCH_RETURN_IF_ERROR(writer.Write(value));
  return TracedText(writer.Take(), TracedText::Author::kOther);
}

}  // namespace bitfetch::jinja
