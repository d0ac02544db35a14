// SPDX-License-Identifier: Apache-2.0
#include "text/chat_form.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

// The name of the form, or what is wrong.
std::string FormFor(const Vocabulary& vocabulary) {
  const auto form = ChatFormFor(*Tokenizer::Create(vocabulary));
  return form ? std::string((*form)->name) : form.error().message;
}

TEST(ChatForm, IsToldByTheTokens) {
  Vocabulary vocabulary = TestVocabulary();
  vocabulary.pre = "falcon3";  // says nothing
  EXPECT_EQ(FormFor(vocabulary), "llama3");

  Vocabulary chat_ml = vocabulary;
  AddToken("<|im_start|>", kNormalToken, &chat_ml);
  EXPECT_EQ(FormFor(chat_ml), "llama3");
  AddToken("<|im_end|>", kUserDefinedToken, &chat_ml);
  EXPECT_EQ(FormFor(chat_ml), "chatml");

  vocabulary.tokens[263] = "";  // <|start_header_id|>
  EXPECT_EQ(FormFor(vocabulary),
            "this model's chat form is not known: it has no chat template, and its vocabulary has "
            "the tokens of no form that is (Llama-3's, ChatML's, Falcon3's)");
  Vocabulary falcon = vocabulary;
  falcon.pre = "llama-bpe";
  AddToken(">>TITLE<<", kControlToken, &falcon);
  EXPECT_EQ(FormFor(falcon), "falcon3");

  AddToken("<|user|>", kControlToken, &vocabulary);
  AddToken("<|assistant|>", kControlToken, &vocabulary);
  EXPECT_EQ(FormFor(vocabulary), "falcon3");
  AddToken("<|end|>", kControlToken, &vocabulary);
  EXPECT_NE(FormFor(vocabulary), "falcon3");
}

TEST(ChatForm, OfBitNetIsToldByTheArchitecture) {
  EXPECT_EQ(ChatFormOf("bitnet-b1.58"), FindChatForm("bitnet"));
  EXPECT_EQ(ChatFormOf("bitnet-25"), FindChatForm("bitnet"));
  EXPECT_EQ(ChatFormOf("llama"), nullptr);
  EXPECT_EQ(FindChatForm("nothing"), nullptr);
}

TEST(ChatForm, NamesTheTokenThatIsMissing) {
  const auto why_not = [](std::string_view form, const Vocabulary& vocabulary) {
    const Status status = CheckTokens(*FindChatForm(form), *Tokenizer::Create(vocabulary));
    return status ? "" : status.error().message;
  };
  Vocabulary vocabulary = TestVocabulary();
  EXPECT_EQ(why_not("llama3", vocabulary), "");
  vocabulary.tokens[265] = "";  // <|eot_id|>
  vocabulary.eos = -1;
  EXPECT_EQ(why_not("bitnet", vocabulary),
            "this model can't chat in the form bitnet: its vocabulary has no token <|eot_id|>");
  EXPECT_EQ(why_not("falcon3", vocabulary),
            "this model can't chat in the form falcon3: its vocabulary has no EOS token");
  EXPECT_EQ(why_not("chatml", vocabulary),
            "this model can't chat in the form chatml: its vocabulary has no token <|im_start|>");
  vocabulary.bos = -1;
  EXPECT_EQ(why_not("bitnet", vocabulary),
            "this model can't chat in the form bitnet: its vocabulary has no BOS token");
}

}  // namespace
}  // namespace bitfetch
