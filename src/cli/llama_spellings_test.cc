// SPDX-License-Identifier: Apache-2.0
#include "cli/llama_spellings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string>;

OptionKind KindOf(std::string_view name) {
  for (const std::string_view flag : {"--no-mmap", "-e"}) {
    if (name == flag) return OptionKind::kFlag;
  }
  for (const std::string_view option :
       {"-p", "-n", "-f", "--tokens", "--seed", "--stop", "--cache-type-k", "--prompt"}) {
    if (name == option) return OptionKind::kWithValue;
  }
  return OptionKind::kUnknown;
}

TranslatedArguments Translate(const Words& words) {
  return TranslateLlamaSpellings(words, /*runs_model=*/true, KindOf).value();
}

TEST(LlamaSpellings, BecomeOurs) {
  const Words words = {"-s", "1", "--n-predict", "-1", "--predict=5", "-r", "-ngl", "-ctk", "q8_0"};
  const TranslatedArguments translated = Translate(words);
  EXPECT_THAT(translated.arguments, ElementsAre("--seed", "1", "--tokens", "-1", "--tokens=5",
                                                "--stop", "-ngl", "--cache-type-k", "q8_0"));
  EXPECT_THAT(translated.ignored, IsEmpty());
}

TEST(LlamaSpellings, WithoutAMeaningAreLeftOutWithTheirValues) {
  const Words words = {"-ngl", "99", "--mlock", "-fa", "-b", "512", "-n", "5"};
  const TranslatedArguments translated = Translate(words);
  EXPECT_THAT(translated.arguments, ElementsAre("-n", "5"));
  EXPECT_THAT(translated.ignored, ElementsAre("-ngl", "--mlock", "-fa", "-b"));
}

TEST(LlamaSpellings, NoLayersOnAGpuIsWhatHappensAnyway) {
  for (const char* name : {"-ngl", "--gpu-layers", "--n-gpu-layers"}) {
    EXPECT_THAT(Translate({name, "0"}).ignored, IsEmpty()) << name;
    EXPECT_THAT(Translate({name, "1"}).ignored, ElementsAre(name));
    EXPECT_THAT(Translate({name, "1"}).arguments, IsEmpty());
  }
}

TEST(LlamaSpellings, FlashAttentionTakesAStateOrNothing) {
  for (const char* state : {"on", "off", "auto", "1", "0"}) {
    const TranslatedArguments translated = Translate({"-fa", state, "-e"});
    EXPECT_THAT(translated.arguments, ElementsAre("-e")) << state;
    EXPECT_THAT(translated.ignored, ElementsAre("-fa")) << state;
  }
  EXPECT_THAT(Translate({"-fa", "-e"}).arguments, ElementsAre("-e"));
  EXPECT_THAT(Translate({"--flash-attn=on"}).arguments, IsEmpty());
}

TEST(LlamaSpellings, ColorTakesAStateOrNothing) {
  for (const char* name : {"--color", "-co"}) {
    for (const char* state : {"on", "off", "auto"}) {
      EXPECT_THAT(Translate({name, state, "-n", "1"}).arguments, ElementsAre("-n", "1"));
      EXPECT_THAT(Translate({name, state}).ignored, ElementsAre(name));
    }
    EXPECT_THAT(Translate({name, "-n", "1"}).arguments, ElementsAre("-n", "1"));
  }
}

TEST(LlamaSpellings, NothingIsEverShiftedOutOfTheContext) {
  EXPECT_THAT(Translate({"--no-context-shift", "-n", "1"}).arguments, ElementsAre("-n", "1"));
  EXPECT_THAT(Translate({"--no-context-shift"}).ignored, IsEmpty());
  EXPECT_THAT(Translate({"--context-shift", "-n", "1"}).arguments, ElementsAre("-n", "1"));
  EXPECT_THAT(Translate({"--context-shift"}).ignored, ElementsAre("--context-shift"));
}

TEST(LlamaSpellings, WhatWasTypedIsRemembered) {
  std::vector<std::string> typed, ours;
  for (const TypedOption& option :
       Translate({"-n5", "--n-predict", "-n", "--predict=5", "-p", "-n", "-e", "-ngl", "1"})
           .options) {
    typed.push_back(option.typed);
    ours.push_back(option.ours);
  }
  EXPECT_THAT(typed, ElementsAre("-n", "--n-predict", "--predict", "-p", "-e"));
  EXPECT_THAT(ours, ElementsAre("-n", "--tokens", "--tokens", "-p", "-e"));
}

TEST(LlamaSpellings, AreThoseOfCommandsThatRunAModel) {
  const Words words = {"-s", "1", "--n-predict", "2", "-ngl", "3", "-ofile"};
  const auto translated = TranslateLlamaSpellings(words, /*runs_model=*/false, KindOf).value();
  EXPECT_EQ(translated.arguments, words);
  EXPECT_THAT(translated.ignored, IsEmpty());
}

TEST(LlamaSpellings, ValuesAreNoOptions) {
  const Words words = {"-p", "-ngl", "-n5", "--prompt=-s", "--no-mmap", "-f", "-fa", "-p"};
  EXPECT_EQ(Translate(words).arguments, words);
}

TEST(LlamaSpellings, WhatThisCommandLacksStaysUnknown) {
  EXPECT_THAT(Translate({"--system-prompt", "x", "--grammar", "y", "-j", "z"}).arguments,
              ElementsAre("--system-prompt", "x", "--grammar", "y", "-j", "z"));
}

TEST(LlamaSpellings, SayWhatIsWrong) {
  const auto error = [](const Words& words) {
    return TranslateLlamaSpellings(words, /*runs_model=*/true, KindOf).error().message;
  };
  EXPECT_EQ(error({"-p", "x", "-ngl"}), "-ngl: its value is missing");
  EXPECT_EQ(error({"--mlock=1"}), "--mlock: takes no value");
  EXPECT_THAT(error({"-fa", "maybe"}), HasSubstr("-fa: 'maybe' is not known: wanted on, off"));
  EXPECT_EQ(error({"-nothing"}), "there is no option '-nothing'");
  EXPECT_EQ(error({"-sys", "x"}), "there is no option '-sys'");
}

}  // namespace
}  // namespace bitfetch
