// SPDX-License-Identifier: Apache-2.0
// For tests: writes a tokenizer.json.
#ifndef BITFETCH_CONVERT_TEST_TOKENIZER_JSON_H_
#define BITFETCH_CONVERT_TEST_TOKENIZER_JSON_H_

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/json_value.h"
#include "text/test_patterns.h"
#include "text/tokenizer.h"

namespace bitfetch {

// The vocabulary as Llama-3's tokenizer.json has it: merges as pairs, BOS by a template.
inline std::string TokenizerJson(const Vocabulary& vocabulary) {
  std::string vocab, added, merges;
  const auto append = [](std::string* list, const std::string& item) {
    *list += list->empty() ? item : "," + item;
  };
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string token = QuoteJson(vocabulary.tokens[id]);
    const int type = vocabulary.types[id];
    if (type == kNormalToken) append(&vocab, fmt::format("{}:{}", token, id));
    if (type == kControlToken || type == kUserDefinedToken) {
      append(&added, fmt::format(R"({{"id":{},"content":{},"special":{}}})", id, token,
                                 type == kControlToken));
    }
  }
  for (const std::string& merge : vocabulary.merges) {
    const size_t space = merge.find(' ');
    append(&merges, fmt::format("[{},{}]", QuoteJson(merge.substr(0, space)),
                                QuoteJson(merge.substr(space + 1))));
  }
  std::string processors = R"({"type":"ByteLevel"})";
  if (vocabulary.add_bos) {
    processors += fmt::format(
        R"(,{{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":{},"type_id":0}}}},)"
        R"({{"Sequence":{{"id":"A","type_id":0}}}}]}})",
        QuoteJson(vocabulary.tokens[vocabulary.bos]));
  }
  return fmt::format(
      R"({{"version":"1.0","added_tokens":[{}],"normalizer":null,"pre_tokenizer":)"
      R"({{"type":"Sequence","pretokenizers":[)"
      R"({{"type":"Split","pattern":{{"Regex":{}}},"behavior":"Isolated","invert":false}},)"
      R"({{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}}]}},)"
      R"("post_processor":{{"type":"Sequence","processors":[{}]}},)"
      R"("model":{{"type":"BPE","ignore_merges":true,"vocab":{{{}}},"merges":[{}]}}}})",
      added, QuoteJson(kLlama3Pattern), processors, vocab, merges);
}

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_TEST_TOKENIZER_JSON_H_
