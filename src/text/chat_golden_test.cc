// SPDX-License-Identifier: Apache-2.0
// What we render against what the npm package @huggingface/jinja does, by the files that
// tools/chat_templates.mjs makes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/test_effort.h"
#include "text/chat.h"
#include "text/jinja/parser.h"
#include "text/jinja/render.h"
#include "text/test_vocabulary.h"

namespace bitfetch::jinja {
namespace {

using nlohmann::ordered_json;

ordered_json ReadOrderedJson(const std::string& path) {
  std::ifstream file(path);
  return ordered_json::parse(file, nullptr, /*allow_exceptions=*/false);
}

Value ToValue(const ordered_json& json) {
  if (json.is_null()) return None();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_string()) return Value::Foreign(json.get<std::string>());
  if (json.is_number()) {
    const double number = json.get<double>();
    return Number{number, number != std::trunc(number)};
  }
  if (json.is_array()) {
    std::vector<Value> items;
    for (const ordered_json& item : json) items.push_back(ToValue(item));
    return items;
  }
  Dict dict;
  for (const auto& [key, value] : json.items()) dict.Set(key, ToValue(value));
  return dict;
}

Result<TracedText> Rendered(const std::string& source, const ordered_json& variables) {
  BITFETCH_ASSIGN_OR_RETURN(const Block program, Parse(source));
  return Render(program, *ToValue(variables).AsDict());
}

void ExpectAsRecorded(const ordered_json& file, size_t min_cases) {
  ASSERT_TRUE(file.is_object());
  ASSERT_GE(file["cases"].size(), min_cases);
  const size_t step = file["cases"].size() / Rounds(static_cast<int>(file["cases"].size()));
  for (size_t i = 0; i < file["cases"].size(); i += step) {
    const ordered_json& each = file["cases"][i];
    const std::string source = file["templates"][each["template"].get<size_t>()];
    ordered_json variables = file["variables"];
    if (each.contains("variables")) variables.update(each["variables"]);
    const Result<TracedText> text = Rendered(source, variables);
    if (each["text"].is_null()) {
      EXPECT_FALSE(text) << source << "\n" << each;
    } else if (text) {
      EXPECT_EQ(text->bytes(), each["text"]) << source << "\n" << each;
    } else {
      ADD_FAILURE() << text.error().message << "\n" << source << "\n" << each;
    }
  }
}

TEST(JinjaGolden, EachConstruct) {
  ExpectAsRecorded(ReadOrderedJson(BITFETCH_SOURCE_DIR "/src/text/testdata/jinja.json"), 200);
}

// The templates of Qwen3, Llama-3 and Gemma 3 and the forms of our own, over a table of
// conversations: BITFETCH_CHAT_TEMPLATES is the file that tools/chat_templates.sh makes.
class ModelsTemplates : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("BITFETCH_CHAT_TEMPLATES");
    if (!path || !*path) {
      GTEST_SKIP() << "the templates were not fetched: BITFETCH_CHAT_TEMPLATES is not set";
    }
    file_ = ReadOrderedJson(path);
  }

  ordered_json file_;
};

TEST_F(ModelsTemplates, AreRenderedAsRecorded) { ExpectAsRecorded(file_, 3000); }

TEST_F(ModelsTemplates, ReadNoMessageAsAControlToken) {
  Vocabulary vocabulary = TestVocabulary();
  for (const char* name : {"<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>"}) {
    AddToken(name, kControlToken, &vocabulary);
  }
  const Tokenizer tokenizer = *Tokenizer::Create(vocabulary);
  const auto controls = [&](const Result<TracedText>& text) {
    const std::vector<int> ids = *EncodeTraced(tokenizer, *text);
    return std::ranges::count_if(ids, [&](int id) { return !tokenizer.ControlName(id).empty(); });
  };
  int compared = 0;
  for (const ordered_json& each : file_["cases"]) {
    ordered_json harmless = each["variables"];
    bool differs = false;
    for (ordered_json& message : harmless["messages"]) {
      if (!message["content"].is_string()) continue;
      std::string content = message["content"];
      if (content.rfind("<|im_start|>", 0) != 0 && content.rfind("<start_of_turn>", 0) != 0) {
        continue;
      }
      std::ranges::replace(content, '<', '(');
      message["content"] = content;
      differs = true;
    }
    if (!differs || each["text"].is_null()) continue;
    const std::string source = file_["templates"][each["template"].get<size_t>()];
    const Result<TracedText> text = Rendered(source, each["variables"]);
    const Result<TracedText> without = Rendered(source, harmless);
    ASSERT_TRUE(text && without) << each;
    EXPECT_EQ(controls(text), controls(without)) << each;
    ++compared;
  }
  EXPECT_GT(compared, 200);
}

}  // namespace
}  // namespace bitfetch::jinja
