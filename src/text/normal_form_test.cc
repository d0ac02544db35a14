// SPDX-License-Identifier: Apache-2.0
#include "text/normal_form.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace bitfetch {
namespace {

std::string Normal(std::string_view text) {
  std::string buffer;
  return std::string(ToNormalForm(text, &buffer));
}

std::string Utf8(int32_t character) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(character, bytes);
  return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)};
}

// The whole text through the library, without our shortcuts.
std::string Reference(std::string_view text) {
  utf8proc_uint8_t* made = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &made,
                   static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  EXPECT_GE(size, 0);
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(made, std::free);
  return {reinterpret_cast<const char*>(made), static_cast<size_t>(size)};
}

bool IsSurrogate(int32_t character) { return character >= 0xd800 && character <= 0xdfff; }

TEST(NormalForm, Composes) {
  EXPECT_EQ(Normal("e\u0301"), "é");
  EXPECT_EQ(Normal("cafe\u0301 e\u0301\u0301!"), "café é\u0301!");
  EXPECT_EQ(Normal("a\u0327\u0323"), "ạ\u0327") << "marks in their order, then composed";
  EXPECT_EQ(Normal("\u1112\u1161\u11ab"), "한");
  EXPECT_EQ(Normal("\ud558\u11ab"), "한");
  EXPECT_EQ(Normal("\u212b\u2126"), "ÅΩ");
  EXPECT_EQ(Normal("\u0958"), "\u0915\u093c") << "excluded from composition";
  EXPECT_EQ(Normal("\uf900"), "\u8c48");
  EXPECT_EQ(Normal("\u0344"), "\u0308\u0301");
  EXPECT_EQ(Normal("\u0301e"), "\u0301e");
}

TEST(NormalForm, WhatIsNormalIsNotCopied) {
  for (const std::string text : {"", "plain", "naïve Ångström", "漢字かな", "한국어",
                                 "Привет, мой мир", "Việt Nam", "नमस्ते", "👩🏽"}) {
    std::string buffer;
    const std::string_view normal = ToNormalForm(text, &buffer);
    EXPECT_EQ(normal, text);
    EXPECT_EQ(normal.data(), text.data()) << text;
  }
}

TEST(NormalForm, EveryCharacterAsTheLibrary) {
  for (int32_t character = 1; character < 0x110000; ++character) {
    if (IsSurrogate(character)) continue;
    const std::string text = Utf8(character);
    ASSERT_EQ(Normal(text), Reference(text)) << std::hex << character;
  }
}

// What a character is made of composes again, whatever stands around it.
TEST(NormalForm, EveryDecompositionAsTheLibrary) {
  for (int32_t character = 0x80; character < 0x110000; ++character) {
    if (IsSurrogate(character)) continue;
    int32_t parts[8];
    const auto count = utf8proc_decompose_char(character, parts, 8, UTF8PROC_DECOMPOSE, nullptr);
    if (count < 2) continue;
    std::string text = "a";
    for (int i = 0; i < count; ++i) text += Utf8(parts[i]);
    text += "\u0323漢";
    ASSERT_EQ(Normal(text), Reference(text)) << std::hex << character;
  }
}

TEST(NormalForm, RandomTextsAsTheLibrary) {
  const std::vector<std::pair<int32_t, int32_t>> kRanges = {
      {0x20, 0x7e},       {0xc0, 0x24f},      {0x300, 0x36f},     {0x391, 0x3ff},
      {0x400, 0x45f},     {0x591, 0x5f4},     {0x610, 0x6ff},     {0x900, 0x9ff},
      {0xb00, 0xbff},     {0xc00, 0xdff},     {0xf00, 0xfff},     {0x1000, 0x109f},
      {0x1100, 0x11ff},   {0x1e00, 0x1fff},   {0x20d0, 0x20ff},   {0x3040, 0x30ff},
      {0x4e00, 0x4e1f},   {0xac00, 0xac3f},   {0xf900, 0xfaff},   {0xfb1d, 0xfb4f},
      {0x11080, 0x11147}, {0x1d15e, 0x1d1c0}, {0x1f600, 0x1f610}, {0x2f800, 0x2f840}};
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (uint32_t n = 1 + random() % 12; n > 0; --n) {
      const auto [first, last] = kRanges[random() % kRanges.size()];
      text += Utf8(first + static_cast<int32_t>(random() % (last - first + 1)));
    }
    ASSERT_EQ(Normal(text), Reference(text)) << testing::PrintToString(text);
    ASSERT_EQ(Normal(Normal(text)), Normal(text)) << testing::PrintToString(text);
  }
}

TEST(NormalForm, AMegabyteOfMarks) {
  std::string text = "e";
  while (text.size() < 1'000'000) text += "\u0301\u0323";
  const std::string normal = Normal(text);
  EXPECT_TRUE(normal.starts_with("ẹ\u0323"));
  EXPECT_TRUE(normal.ends_with("\u0301\u0301"));
  EXPECT_EQ(normal.size(), text.size());  // "e" and a mark of two bytes became three bytes
}

}  // namespace
}  // namespace bitfetch
