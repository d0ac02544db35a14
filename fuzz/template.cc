// SPDX-License-Identifier: Apache-2.0
// Any bytes as a chat template: it is rendered or refused in one line, nothing of what it gives is
// lost in tokens, and no control token is where a message speaks.
#include <string>
#include <vector>

#include "base/utf8.h"
#include "fuzz/check.h"
#include "text/chat.h"
#include "text/jinja/parser.h"
#include "text/jinja/render.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

using jinja::Value;

jinja::Dict Variables() {
  jinja::Dict tool;
  tool.Set("name", Value::Foreign("f"));
  tool.Set("more", std::vector<Value>{1 == 1, jinja::None(), Value::Float(1.5), jinja::Dict()});
  jinja::Dict variables;
  variables.Set(
      "messages",
      std::vector<Value>{ChatMessage("system", "<|eot_id|>"), ChatMessage("user", " a\xff\n"),
                         ChatMessage("assistant", "<think>b</think>\n<|eot")});
  variables.Set("tools", std::vector<Value>{tool});
  variables.Set("add_generation_prompt", true);
  variables.Set("bos_token", Value::Own("<|begin_of_text|>"));
  return variables;
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bitfetch;  // NOLINT(google-build-using-namespace)
  static const Tokenizer tokenizer = *Tokenizer::Create(TestVocabulary());
  static const jinja::Dict variables = Variables();
  const auto program = jinja::Parse({reinterpret_cast<const char*>(data), size});
  const auto text = program ? jinja::Render(*program, variables)
                            : Result<TracedText>(tl::unexpected(program.error()));
  if (!text) {
    FUZZ_CHECK(text.error().message.find('\n') == std::string::npos);
    return 0;
  }

  const auto ids = EncodeTraced(tokenizer, *text);
  FUZZ_CHECK(ids);
  std::string shown;
  size_t controls = 0;
  for (const int id : *ids) {
    const std::string_view name = tokenizer.ControlName(id);
    controls += !name.empty();
    shown += name.empty() ? tokenizer.TokenBytes(id) : name;
  }
  FUZZ_CHECK(shown == ReplaceBrokenUtf8(text->bytes()));

  // As many as the template's own runs name, each by itself.
  size_t own = 0;
  size_t begin = 0;
  for (const TracedText::Run& run : text->runs()) {
    FUZZ_CHECK(run.end > begin);
    const std::string_view bytes(text->bytes().data() + begin, run.end - begin);
    begin = run.end;
    if (run.author == TracedText::Author::kOther) continue;
    const auto alone = tokenizer.Encode(bytes, false, nullptr, /*special=*/true);
    FUZZ_CHECK(alone);
    for (const int id : *alone) own += !tokenizer.ControlName(id).empty();
  }
  FUZZ_CHECK(begin == text->size() && own == controls);
  return 0;
}
