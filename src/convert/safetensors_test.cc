// SPDX-License-Identifier: Apache-2.0
#include "convert/safetensors.h"

#include <gmock/gmock.h>

#include "base/temp_dir.h"
#include "convert/test_safetensors.h"

namespace bitfetch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SafetensorsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name = "model.safetensors") { return dir_.Path(name); }

  // A file of one tensor of four bytes.
  void WriteOne(const std::string& file, std::string_view tensor) {
    TestSafetensors one;
    one.Add(tensor, "U8", {2, 2}, "abcd");
    one.Write(Path(file));
  }

  std::string ErrorOfHeader(std::string_view header, std::string_view data = "01234567") {
    WriteRawSafetensors(Path(), header, data);
    return ErrorOf(Safetensors::OpenFile(Path()), Path());
  }
  std::string ErrorOfFolder() { return ErrorOf(Safetensors::OpenFolder(dir_.path()), dir_.path()); }

  static std::string ErrorOf(const Result<Safetensors>& opened, const std::string& path) {
    if (opened) return "";
    EXPECT_THAT(opened.error().message, StartsWith(path));
    EXPECT_EQ(opened.error().message.find('\n'), std::string::npos);
    return opened.error().message;
  }

  TempDir dir_;
};

TEST_F(SafetensorsTest, ReadsBackWhatWasWritten) {
  TestSafetensors file;
  file.AddFloats("b", "BF16", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  file.Add("a", "U8", {}, "x");
  file.Write(Path());
  const auto opened = Safetensors::OpenFile(Path());
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_EQ(opened->tensors().size(), 2u);
  const SafeTensor* b = opened->Find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, "BF16");
  EXPECT_EQ(b->FloatType(), TensorType::kBF16);
  EXPECT_THAT(b->shape, ElementsAre(2, 3));
  EXPECT_EQ(b->elements, 6);
  EXPECT_EQ(b->data.size(), 12u);
  uint16_t last;
  std::memcpy(&last, b->data.data() + 10, sizeof last);
  EXPECT_EQ(BF16ToF32(last), 6);
  EXPECT_EQ(opened->Find("a")->elements, 1);
  EXPECT_EQ(opened->Find("a")->data[0], std::byte{'x'});
  EXPECT_EQ(opened->Find("a")->FloatType(), std::nullopt);
  EXPECT_EQ(opened->Find("c"), nullptr);
}

TEST_F(SafetensorsTest, FindsTheShards) {
  WriteOne("model-00001-of-00002.safetensors", "a");
  EXPECT_THAT(ErrorOfFolder(), HasSubstr("shard model-00002-of-00002.safetensors is missing"));
  WriteOne("model-00002-of-00002.safetensors", "b");
  EXPECT_EQ(Safetensors::OpenFolder(dir_.path())->tensors().size(), 2u);
  WriteOne("model-00002-of-00002.safetensors", "a");
  EXPECT_THAT(ErrorOfFolder(), HasSubstr("tensor a is in another shard too"));
}

TEST_F(SafetensorsTest, GoesByTheIndexWhereThereIsOne) {
  const auto write_index = [&](std::string_view map) {
    ASSERT_TRUE(WriteFile(Path("model.safetensors.index.json"),
                          fmt::format(R"({{"metadata":{{}},"weight_map":{}}})", map)));
  };
  WriteOne("x.safetensors", "a");
  WriteOne("y.safetensors", "b");
  WriteOne("z.safetensors", "c");
  write_index(R"({"a": "x.safetensors", "b": "y.safetensors"})");
  const auto opened = Safetensors::OpenFolder(dir_.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(opened->Find("a") && opened->Find("b") && !opened->Find("c"));
  write_index(R"({"a": "x.safetensors", "b": "x.safetensors"})");
  EXPECT_THAT(ErrorOfFolder(), HasSubstr("tensor b is not in x.safetensors"));
  write_index(R"({"a": "x.safetensors", "b": "w.safetensors"})");
  EXPECT_THAT(ErrorOfFolder(), HasSubstr("the shard w.safetensors is missing"));
  for (const char* elsewhere : {R"({"a": "../x.safetensors"})", R"({"a": "/x.safetensors"})",
                                R"({"a": 1})", R"({"a": "config.json"})", "{}", "[]"}) {
    write_index(elsewhere);
    EXPECT_THAT(ErrorOfFolder(), HasSubstr("weight_map")) << elsewhere;
  }
}

TEST_F(SafetensorsTest, SaysThatAFolderHasNone) {
  EXPECT_THAT(ErrorOfFolder(), HasSubstr("holds no model.safetensors"));
}

TEST_F(SafetensorsTest, SaysWhatIsWrongWithAHeader) {
  EXPECT_EQ(ErrorOfHeader(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})"), "");
  struct Case {
    std::string header;
    std::string error;
  };
  const auto tensor = [](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape,
                       offsets);
  };
  const std::string deep(10'000, '[');
  const std::vector<Case> cases = {
      {"", "the header is no JSON"},
      {"[]", "the header is no table of tensors"},
      {deep, "the header is nested over 16 deep"},
      {R"({"a":)" + deep, "the header is nested over 16 deep"},
      {R"({"a":1})", "tensor a has no dtype"},
      {tensor("Q2", "[8]", "[0,8]"), "tensor a is of the unknown dtype 'Q2'"},
      {tensor("U8", "8", "[0,8]"), "tensor a has no shape"},
      {tensor("U8", "[-8]", "[0,8]"), "tensor a has no shape"},
      {tensor("U8", "[8.0]", "[0,8]"), "tensor a has no shape"},
      {tensor("U8", "[1,1,1,1,1,1,1,1,8]", "[0,8]"), "tensor a has no shape"},
      {tensor("U8", "[0]", "[0,0]"), "tensor a has a dimension of 0"},
      {tensor("U8", "[4294967296,4294967296]", "[0,8]"), "more elements than any memory holds"},
      {tensor("U8", "[18446744073709551615]", "[0,8]"), "tensor a has no shape"},
      {tensor("U8", "[8]", "[0]"), "tensor a has no data_offsets"},
      {tensor("U8", "[8]", "[0,8,8]"), "tensor a has no data_offsets"},
      {tensor("U8", "[8]", "[8,0]"), "tensor a lies outside the file"},
      {tensor("U8", "[8]", "[1,9]"), "tensor a lies outside the file: at 1 to 9 of 8 bytes"},
      {tensor("U8", "[8]", "[0,9223372036854775807]"), "tensor a lies outside the file"},
      {tensor("F32", "[8]", "[0,8]"), "tensor a has 8 bytes for 8 elements of F32"},
      {tensor("F32", "[1]", "[0,8]"), "tensor a has 8 bytes for 1 elements of F32"},
      {tensor("F64", "[1152921504606846976]", "[0,0]"), "tensor a has 0 bytes"},
      {R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
       R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
       "tensors a and b overlap"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
       R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
       "the header has the key 'a' twice"},
      {R"({"a\n\u001b[31m":1})", R"(tensor a\x0a\x1b[31m has no dtype)"},
  };
  for (const Case& wrong : cases) {
    EXPECT_THAT(ErrorOfHeader(wrong.header), HasSubstr(wrong.error)) << wrong.header.substr(0, 99);
  }
}

TEST_F(SafetensorsTest, TheLengthOfTheHeaderIsChecked) {
  for (const uint64_t length : {uint64_t{1} << 63, ~uint64_t{0}, uint64_t{16'777'217}}) {
    std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
    ASSERT_TRUE(WriteFile(Path(), bytes + "{}"));
    EXPECT_THAT(ErrorOf(Safetensors::OpenFile(Path()), Path()),
                HasSubstr(fmt::format("its header would be of {} bytes", length)));
  }
  const uint64_t length = 3;
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  ASSERT_TRUE(WriteFile(Path(), bytes + "{}"));
  EXPECT_THAT(ErrorOf(Safetensors::OpenFile(Path()), Path()), HasSubstr("is cut short"));
  ASSERT_TRUE(WriteFile(Path(), "1234567"));
  EXPECT_THAT(ErrorOf(Safetensors::OpenFile(Path()), Path()), HasSubstr("no safetensors file"));
}

TEST_F(SafetensorsTest, ManyTensorsAreTooMany) {
  std::string header = "{";
  for (int i = 0; i <= 1 << 16; ++i) header += fmt::format(R"("{}":0,)", i);
  header.back() = '}';
  EXPECT_THAT(ErrorOfHeader(header), HasSubstr("claims to have 65537 tensors"));
}

}  // namespace
}  // namespace bitfetch
