// SPDX-License-Identifier: Apache-2.0
#include "engine/read_chat_template.h"

#include <gtest/gtest.h>

#include <string>

#include "base/temp_dir.h"
#include "convert/gguf_writer.h"
#include "text/chat_form.h"
#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

class ReadChatTemplateTest : public testing::Test {
 protected:
  // Of a file of this architecture, with this template where one is given.
  Result<ChatTemplate> Read(const std::string& architecture, const char* text,
                            const Vocabulary& vocabulary = TestVocabulary()) {
    GgufWriter writer;
    writer.Add<std::string>("general.architecture", architecture);
    if (text != nullptr) writer.Add<std::string>("tokenizer.chat_template", text);
    EXPECT_TRUE(writer.Open(path_));
    EXPECT_TRUE(writer.Commit());
    return ReadChatTemplate(*GgufReader::Open(path_), *Tokenizer::Create(vocabulary));
  }

  TempDir dir_;
  std::string path_ = dir_.Path("m.gguf");
};

TEST_F(ReadChatTemplateTest, TheFilesOwnComesFirst) {
  const auto own = Read("llama", "{{ messages }}");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->text(), "{{ messages }}");
  EXPECT_EQ(own->name(), path_ + ": tokenizer.chat_template");
  EXPECT_EQ(Read("llama", nullptr)->text(), FindChatForm("llama3")->text);
}

TEST_F(ReadChatTemplateTest, BitNetsIsKnownToBeWrong) {
  for (const char* architecture : {"bitnet-b1.58", "bitnet-25"}) {
    for (const char* text : {"{{ messages }}", static_cast<const char*>(nullptr)}) {
      EXPECT_EQ(Read(architecture, text)->text(), FindChatForm("bitnet")->text);
    }
  }
}

TEST_F(ReadChatTemplateTest, ErrorsNameTheFile) {
  Vocabulary vocabulary = TestVocabulary();
  vocabulary.tokens[265] = "";  // <|eot_id|>
  EXPECT_EQ(Read("bitnet-b1.58", nullptr, vocabulary).error().message,
            path_ +
                ": this model can't chat in the form bitnet: its vocabulary has no token "
                "<|eot_id|>");
  vocabulary.tokens[263] = "";
  const auto unknown = Read("llama", nullptr, vocabulary);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message.rfind(path_ + ": this model's chat form is not known", 0), 0u);
  EXPECT_EQ(Read("llama", "\n{{ a").error().message,
            path_ + ": tokenizer.chat_template: line 2: a tag has no end");
}

}  // namespace
}  // namespace bitfetch
