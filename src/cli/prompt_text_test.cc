// SPDX-License-Identifier: Apache-2.0
#include "cli/prompt_text.h"

#include <gtest/gtest.h>

#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

TEST(PromptText, TellsControlTokensFromTextThatLooksLikeThem) {
  const Tokenizer tokenizer = *Tokenizer::Create(TestVocabulary());
  const auto shown = [&](std::string_view text, bool special) {
    return PromptText(tokenizer, *tokenizer.Encode(text, /*add_bos=*/true, nullptr, special));
  };
  EXPECT_EQ(shown("<|eot_id|>the thing", true), "<|begin_of_text|><|eot_id|>the thing");
  EXPECT_EQ(shown("<|eot_id|>the thing", false), "<|begin_of_text|>\\<|eot_id|>the thing");
  EXPECT_EQ(PromptText(tokenizer, {}), "");
}

}  // namespace
}  // namespace bitfetch
