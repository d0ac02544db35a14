// SPDX-License-Identifier: Apache-2.0
// Reading and writing GGUF: what was written comes back. Damaged files: gguf_damage_test.cc.
#include "model/gguf_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "base/temp_dir.h"
#include "convert/gguf_writer.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GgufTest : public ::testing::Test {
 protected:
  std::string path() const { return dir_.Path("m.gguf"); }

  // Writes what was declared and reads it again.
  GgufReader RoundTrip(GgufWriter* writer, bool mmap = true) const {
    EXPECT_TRUE(writer->Open(path()));
    EXPECT_TRUE(writer->Commit());
    auto reader = GgufReader::Open(path(), mmap);
    EXPECT_TRUE(reader) << reader.error().message;
    return *std::move(reader);
  }

  TempDir dir_;
};

template <class T>
std::string MessageOf(const Result<T>& result) {
  return result ? "no error" : result.error().message;
}

template <class T>
void AddLimits(GgufWriter* writer, const std::string& name) {
  writer->Add<T>(name + ".lowest", std::numeric_limits<T>::lowest());
  writer->Add<T>(name + ".max", std::numeric_limits<T>::max());
  const std::array<T, 3> array = {std::numeric_limits<T>::lowest(), T{1},
                                  std::numeric_limits<T>::max()};
  writer->AddArray<T>(name + ".array", array);
}

template <class T>
void ExpectIntegerLimits(const GgufReader& reader, const std::string& name) {
  constexpr int64_t kLowest = +std::numeric_limits<T>::lowest();
  constexpr int64_t kMax = +std::numeric_limits<T>::max();
  EXPECT_EQ(reader.Get<int64_t>(name + ".lowest"), kLowest);
  EXPECT_EQ(reader.Get<int64_t>(name + ".max"), kMax);
  EXPECT_THAT(*reader.GetArray<int64_t>(name + ".array"), ElementsAre(kLowest, 1, kMax));
}

TEST_F(GgufTest, EveryMetadataTypeComesBack) {
  GgufWriter writer;
  AddLimits<uint8_t>(&writer, "uint8");
  AddLimits<int8_t>(&writer, "int8");
  AddLimits<uint16_t>(&writer, "uint16");
  AddLimits<int16_t>(&writer, "int16");
  AddLimits<uint32_t>(&writer, "uint32");
  AddLimits<int32_t>(&writer, "int32");
  AddLimits<int64_t>(&writer, "int64");
  AddLimits<float>(&writer, "float");
  AddLimits<double>(&writer, "double");
  writer.Add<uint64_t>("uint64", uint64_t{1} << 62);
  writer.Add<bool>("yes", true);
  writer.Add<bool>("no", false);
  const std::array<bool, 3> bools = {true, false, true};
  writer.AddArray<bool>("bools", bools);
  using std::string_literals::operator""s;
  writer.Add<std::string>("text", "caf\xc3\xa9\0!"s);
  writer.Add<std::string>("empty", "");
  const std::array<std::string, 3> texts = {"one", "", "three"};
  writer.AddArray<std::string>("texts", texts);
  writer.AddArray<std::string>("none", {});
  const GgufReader reader = RoundTrip(&writer);

  ExpectIntegerLimits<uint8_t>(reader, "uint8");
  ExpectIntegerLimits<int8_t>(reader, "int8");
  ExpectIntegerLimits<uint16_t>(reader, "uint16");
  ExpectIntegerLimits<int16_t>(reader, "int16");
  ExpectIntegerLimits<uint32_t>(reader, "uint32");
  ExpectIntegerLimits<int32_t>(reader, "int32");
  ExpectIntegerLimits<int64_t>(reader, "int64");
  EXPECT_EQ(reader.Get<int64_t>("uint64"), int64_t{1} << 62);
  EXPECT_EQ(reader.Get<float>("float.max"), std::numeric_limits<float>::max());
  EXPECT_EQ(reader.Get<double>("double.lowest"), std::numeric_limits<double>::lowest());
  EXPECT_THAT(
      *reader.GetArray<float>("float.array"),
      ElementsAre(std::numeric_limits<float>::lowest(), 1.f, std::numeric_limits<float>::max()));
  EXPECT_EQ((*reader.GetArray<double>("double.array"))[2], std::numeric_limits<double>::max());
  EXPECT_EQ(reader.Get<bool>("yes"), true);
  EXPECT_EQ(reader.Get<bool>("no"), false);
  EXPECT_THAT(*reader.GetArray<bool>("bools"), ElementsAre(true, false, true));
  EXPECT_EQ(reader.Get<std::string_view>("text"), std::string_view("caf\xc3\xa9\0!", 7));
  EXPECT_EQ(reader.Get<std::string_view>("empty"), "");
  EXPECT_THAT(*reader.GetArray<std::string_view>("texts"), ElementsAre("one", "", "three"));
  EXPECT_THAT(*reader.GetArray<std::string_view>("none"), IsEmpty());
  EXPECT_THAT(reader.tensors(), IsEmpty());
}

TEST_F(GgufTest, GettersNameTheKeyAndBothTypes) {
  GgufWriter writer;
  writer.Add<uint32_t>("number", 7);
  writer.Add<std::string>("text", "x");
  writer.Add<uint64_t>("huge", ~uint64_t{0});
  const std::array<std::string, 1> texts = {"one"};
  writer.AddArray<std::string>("texts", texts);
  const std::array<uint64_t, 2> huge = {1, ~uint64_t{0}};
  writer.AddArray<uint64_t>("huges", huge);
  const GgufReader reader = RoundTrip(&writer);
  const std::string start = path() + ": metadata key ";

  EXPECT_EQ(MessageOf(reader.Get<int64_t>("gone")), start + "gone is missing");
  EXPECT_EQ(reader.Get<int64_t>("gone", 5), 5);
  EXPECT_EQ(reader.Get<int64_t>("number", 5), 7);
  EXPECT_TRUE(reader.Has("number"));
  EXPECT_FALSE(reader.Has("gone"));
  EXPECT_EQ(MessageOf(reader.Get<std::string_view>("number")),
            start + "number is of type uint32: wanted a string");
  EXPECT_EQ(MessageOf(reader.Get<float>("number")),
            start + "number is of type uint32: wanted a float");
  EXPECT_EQ(MessageOf(reader.Get<bool>("number", true)),
            start + "number is of type uint32: wanted a bool");
  EXPECT_EQ(MessageOf(reader.Get<int64_t>("text")),
            start + "text is of type string: wanted an integer");
  EXPECT_EQ(MessageOf(reader.Get<std::string_view>("texts")),
            start + "texts is an array of string: wanted a string");
  EXPECT_EQ(MessageOf(reader.GetArray<int64_t>("texts")),
            start + "texts is an array of string: wanted an array, each an integer");
  EXPECT_EQ(MessageOf(reader.GetArray<std::string_view>("text")),
            start + "text is of type string: wanted an array, each a string");
  EXPECT_EQ(MessageOf(reader.Get<int64_t>("huge")), start + "huge holds what an integer can't be");
  EXPECT_EQ(MessageOf(reader.GetArray<int64_t>("huges")),
            start + "huges holds at index 1 what an integer can't be");
  EXPECT_EQ(MessageOf(reader.GetTensor("gone")), path() + ": tensor gone is missing");
}

// Each tensor's bytes, whatever precedes them, at each alignment and version, mapped and read.
TEST_F(GgufTest, TensorsComeBackAlignedAndWhole) {
  for (const int64_t alignment : {8, 32, 64, 4096}) {
    for (const uint32_t version : {2, 3}) {
      GgufWriter writer(version, alignment);
      writer.Add<std::string>("odd", std::string(static_cast<size_t>(alignment % 61), 'x'));
      const std::vector<std::vector<int64_t>> shapes = {{3}, {5, 7}, {2, 3, 4}, {1, 2, 3, 4}, {1}};
      for (size_t i = 0; i < shapes.size(); ++i) {
        writer.AddTensor(fmt::format("t{}", i), TensorType::kF32, shapes[i]);
      }
      ASSERT_TRUE(writer.Open(path()));
      std::mt19937 random(5);
      std::vector<std::vector<float>> data;
      for (const auto& shape : shapes) {
        size_t elements = 1;
        for (const int64_t size : shape) elements *= static_cast<size_t>(size);
        std::vector<float>& values = data.emplace_back(elements);
        for (float& value : values) value = static_cast<float>(random());
        const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
        ASSERT_TRUE(writer.Append(bytes.first(3)));  // in pieces of any size
        ASSERT_TRUE(writer.Append(bytes.subspan(3)));
      }
      ASSERT_TRUE(writer.Commit());
      for (const bool mmap : {true, false}) {
        auto reader = GgufReader::Open(path(), mmap);
        ASSERT_TRUE(reader) << reader.error().message;
        const GgufReader moved = std::move(*reader);
        EXPECT_EQ(moved.version(), version);
        ASSERT_EQ(moved.tensors().size(), shapes.size());
        for (size_t i = 0; i < shapes.size(); ++i) {
          const GgufTensor* tensor = *moved.GetTensor(fmt::format("t{}", i));
          EXPECT_EQ(tensor, &moved.tensors()[i]);
          EXPECT_EQ(
              reinterpret_cast<uintptr_t>(tensor->data.data()) % static_cast<uintptr_t>(alignment),
              0u);
          EXPECT_EQ(tensor->elements, static_cast<int64_t>(data[i].size()));
          EXPECT_EQ(tensor->cols(), shapes[i][0]);
          EXPECT_EQ(tensor->rows() * tensor->cols(), tensor->elements);
          ASSERT_EQ(tensor->data.size(), data[i].size() * 4);
          EXPECT_EQ(std::memcmp(tensor->data.data(), data[i].data(), tensor->data.size()), 0);
        }
        EXPECT_EQ(moved.FindTensor("t"), nullptr);
      }
    }
  }
}

TEST_F(GgufTest, TheShapeIsAsStored) {
  ASSERT_TRUE(WriteTestModel(path(), {.hidden = 256, .vocab = 48}));
  const GgufReader reader = *GgufReader::Open(path());
  const GgufTensor* embedding = *reader.GetTensor("token_embd.weight");
  EXPECT_THAT(embedding->shape, ElementsAre(256, 48, 1, 1));
  EXPECT_EQ(embedding->type, TensorType::kF16);
  EXPECT_EQ((*reader.GetTensor("blk.1.ffn_down.weight"))->data.size(), 256u * 512 / 4 + 32);
}

// As large as Llama-3's, whose merges number twice its tokens.
TEST_F(GgufTest, AVocabularyOfRealSizeComesBack) {
  std::vector<std::string> tokens, merges;
  for (int i = 0; i < 128256; ++i) tokens.push_back(fmt::format("token{}", i));
  for (int i = 0; i < 280147; ++i) merges.push_back(fmt::format("left{} right{}", i, i * 7));
  GgufWriter writer;
  writer.AddArray<std::string>("tokenizer.ggml.tokens", tokens);
  writer.AddArray<std::string>("tokenizer.ggml.merges", merges);
  const GgufReader reader = RoundTrip(&writer);
  const auto read = *reader.GetArray<std::string_view>("tokenizer.ggml.tokens");
  EXPECT_TRUE(std::equal(read.begin(), read.end(), tokens.begin(), tokens.end()));
  const auto read_merges = *reader.GetArray<std::string_view>("tokenizer.ggml.merges");
  EXPECT_TRUE(std::equal(read_merges.begin(), read_merges.end(), merges.begin(), merges.end()));
}

TEST_F(GgufTest, TheWriterWantsAllDataAndNoMore) {
  const std::vector<int64_t> shape = {4};
  const std::vector<float> values(4);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
  {
    GgufWriter writer;
    writer.AddTensor("a", TensorType::kF32, shape);
    writer.AddTensor("b", TensorType::kF32, shape);
    ASSERT_TRUE(writer.Open(path()));
    ASSERT_TRUE(writer.Append(bytes));
    ASSERT_TRUE(writer.Append(bytes.first(15)));
    EXPECT_EQ(MessageOf(writer.Commit()), path() + ": the data of tensor b is missing");
    EXPECT_EQ(MessageOf(writer.Append(bytes.first(2))), path() + ": 17 bytes for tensor b of 16");
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
  GgufWriter writer;
  ASSERT_TRUE(writer.Open(path()));
  EXPECT_EQ(MessageOf(writer.Append(bytes)), path() + ": data after the last tensor's");
}

}  // namespace
}  // namespace bitfetch
