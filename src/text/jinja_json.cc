// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_json.h"

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
    BITFETCH_RETURN_IF_ERROR(work_.Spend(1));
    if (value.IsNone()) {
      json_ += "null";
    } else if (value.IsUndefined()) {
      json_ += options_.undefined;
    } else if (const bool* truth = value.AsBool()) {
      json_ += *truth ? "true" : "false";
    } else if (const Number* number = value.AsNumber()) {
      json_ += std::isfinite(number->value) ? NumberText(number->value) : "null";
    } else if (const TracedText* text = value.AsText()) {
      return WriteString(text->bytes());
    } else if (const List* list = value.AsList()) {
      return WriteItems('[', ']', list->items, [&](const Value& item) { return Write(item); });
    } else if (const Dict* dict = value.AsEntries()) {
      return WriteItems('{', '}', dict->entries, [&](const auto& entry) -> Status {
        BITFETCH_RETURN_IF_ERROR(WriteString(entry.first));
        json_ += options_.after_key;
        return Write(entry.second);
      });
    } else {
      return Fail("{} can't be written as JSON", value.TypeName());
    }
    return {};
  }

  std::string Take() { return std::move(json_); }

 private:
  Status WriteString(std::string_view text) {
    constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
    constexpr std::string_view kLetters = "\"\\bfnrt";
    BITFETCH_RETURN_IF_ERROR(work_.SpendOnText(text.size(), json_.size()));
    json_ += '"';
    for (const char c : text) {
      if (const size_t at = kEscaped.find(c); at != std::string_view::npos) {
        json_ += {'\\', kLetters[at]};
      } else if (static_cast<unsigned char>(c) < 0x20) {
        json_ += fmt::format("\\u{:04x}", static_cast<int>(c));
      } else {
        json_ += c;
      }
    }
    json_ += '"';
    return {};
  }

  template <class Items, class WriteItem>
  Status WriteItems(char open, char close, const Items& items, WriteItem write_item) {
    if (++depth_ > kMaxJsonDepth) return Fail("what holds itself can't be written as JSON");
    json_ += open;
    for (const auto& item : items) {
      if (&item != &items.front()) json_ += options_.between_items;
      BreakLine();
      BITFETCH_RETURN_IF_ERROR(write_item(item));
    }
    --depth_;
    if (!items.empty()) BreakLine();
    json_ += close;
    return {};
  }

  void BreakLine() {
    if (options_.indent > 0) json_ += '\n' + std::string(depth_ * options_.indent, ' ');
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
