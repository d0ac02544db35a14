// SPDX-License-Identifier: Apache-2.0
// Damaged and hostile GGUF files: an error that names the file, or a model that can be read to the
// end; never a crash. The time limit is ctest's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "base/temp_dir.h"
#include "convert/gguf_writer.h"
#include "model/dequantize.h"
#include "model/gguf_reader.h"
#include "model/model_config.h"
#include "model/ternary_codes.h"
#include "model/ternary_groups.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A file built by hand, byte by byte.
class Bytes {
 public:
  explicit Bytes(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
    text_ = "GGUF";
    Put(version).Put(tensors).Put(keys);
  }
  template <class T>
  Bytes& Put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& Text(std::string_view text) {
    Put(uint64_t{text.size()});
    text_.append(text);
    return *this;
  }
  Bytes& Key(std::string_view name, GgufType type) {
    return Text(name).Put(static_cast<uint32_t>(type));
  }
  Bytes& Tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                uint64_t offset) {
    Text(name).Put(static_cast<uint32_t>(dims.size()));
    for (const uint64_t size : dims) Put(size);
    return Put(type).Put(offset);
  }
  // Room for tensor data.
  Bytes& Zeros(size_t count) {
    text_.append(count, '\0');
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class GgufDamageTest : public ::testing::Test {
 protected:
  std::string path() const { return dir_.Path("m.gguf"); }

  // What is wrong with a file of these bytes, without the file's name, which it must begin with;
  // empty if nothing is, after touching all that it promises.
  std::string ErrorOf(std::string_view bytes) const {
    std::ofstream(path(), std::ios::binary) << bytes;
    return ErrorOfFile();
  }
  std::string ErrorOf(const Bytes& bytes) const { return ErrorOf(bytes.text()); }

  std::string ErrorOfFile(bool mmap = true) const {
    const Status status = ReadEverything(mmap);
    if (status) return "";
    const std::string& message = status.error().message;
    EXPECT_THAT(message, StartsWith(path() + ": "));
    EXPECT_EQ(message.find_first_of(std::string_view("\n\r\x1b\0", 4)), std::string::npos);
    return message.substr(std::min(message.size(), path().size() + 2));
  }

  Status ReadEverything(bool mmap) const {
    BITFETCH_ASSIGN_OR_RETURN(const GgufReader reader, GgufReader::Open(path(), mmap));
    float sum = 0;
    for (const GgufTensor& tensor : reader.tensors()) {
      if (IsTernary(tensor.type)) {
        BITFETCH_ASSIGN_OR_RETURN(const TernaryMatrix matrix, ReadTernary(tensor, path()));
        sum += static_cast<float>(matrix.Code(matrix.rows - 1, matrix.cols - 1));
      }
      if (IsTernaryByGroup(tensor.type)) {
        TernaryGroups matrix;
        const GroupsToRead to_read{&tensor, &matrix};
        BITFETCH_ASSIGN_OR_RETURN(const PageBuffer memory,
                                  ReadTernaryGroups(reader, {&to_read, 1}, *pool_, {}));
        sum += static_cast<float>(matrix.strips[matrix.bytes() - 1]);
      }
      if (IsDequantizable(tensor.type)) {
        std::vector<float> row(static_cast<size_t>(tensor.cols()));
        for (int64_t i = 0; i < tensor.rows(); ++i) {
          const size_t row_bytes = tensor.data.size() / static_cast<size_t>(tensor.rows());
          DequantizeRow(tensor.type, tensor.data.data() + static_cast<size_t>(i) * row_bytes,
                        tensor.cols(), row.data());
          sum += row.back();
        }
      }
    }
    volatile float keep = sum;
    (void)keep;
    if (reader.Has("tokens")) {
      BITFETCH_RETURN_IF_ERROR(reader.GetArray<std::string_view>("tokens"));
    }
    return ReadModelConfig(reader).map([](const ModelConfig&) {});
  }

  std::string SmallModel(TensorType linear = TensorType::kI2_S) const {
    TestModelWriter model({.layers = 1,
                           .hidden = 128,
                           .ffn = 128,
                           .heads = 2,
                           .kv_heads = 1,
                           .vocab = 8,
                           .linear = linear});
    const std::vector<std::string> tokens = {"a", "bc", "", "def"};
    model.writer().AddArray<std::string>("tokens", tokens);
    EXPECT_TRUE(model.Write(path()));
    return ReadText(path());
  }

  TempDir dir_;
  std::unique_ptr<ThreadPool> pool_ = *ThreadPool::Create(1);
};

TEST_F(GgufDamageTest, TheModelUnderTestIsSound) { EXPECT_EQ(ErrorOf(SmallModel()), ""); }

TEST_F(GgufDamageTest, EveryCutIsAnError) {
  for (const TensorType linear : {TensorType::kI2_S, TensorType::kQ2_0, TensorType::kPQ2_0}) {
    const size_t size = SmallModel(linear).size();
    for (size_t i = 39; i > 0; --i) {
      std::filesystem::resize_file(path(), size * i / 40);
      for (const bool mmap : {true, false}) EXPECT_NE(ErrorOfFile(mmap), "") << i;
    }
    for (size_t cut = std::min(size / 40, size_t{1500}); cut > 0; --cut) {
      std::filesystem::resize_file(path(), cut);
      ASSERT_NE(ErrorOfFile(), "") << cut;
    }
  }
}

TEST_F(GgufDamageTest, EveryFlippedBitOfTheTablesIsHarmless) {
  const std::string whole = SmallModel();
  const GgufReader sound = *GgufReader::Open(path());
  size_t tables = whole.size();
  for (const GgufTensor& tensor : sound.tensors()) {
    tables -= (tensor.data.size() + 31) / 32 * 32;
  }
  ASSERT_GT(tables, 1000u);
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  const auto patch = [&](size_t at, int value) {
    file.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(value)).flush();
  };
  size_t errors = 0;
  for (size_t at = 0; at < tables; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      patch(at, whole[at] ^ (1 << bit));
      errors += !ErrorOfFile().empty();
    }
    patch(at, whole[at]);
  }
  EXPECT_EQ(ErrorOfFile(), "");       // every bit was put back
  EXPECT_GT(errors, tables * 8 / 4);  // and most of them matter
}

TEST_F(GgufDamageTest, HeadersThatAreNone) {
  EXPECT_EQ(ErrorOf("GGU"), "is not a GGUF file");
  EXPECT_EQ(ErrorOf("PK\x03\x04 something else"), "is not a GGUF file");
  EXPECT_EQ(ErrorOf("GGUF"), "is cut short or damaged: it ends inside the header");
  EXPECT_EQ(ErrorOf(Bytes(0, 0, 1)), "is of GGUF version 1: only 2 and 3 can be read");
  EXPECT_EQ(ErrorOf(Bytes(0, 0, 4)), "is of GGUF version 4: only 2 and 3 can be read");
  for (const uint32_t version : {0x02000000, 0x03000000}) {
    EXPECT_EQ(ErrorOf(Bytes(0, 0, version)),
              "is a big-endian GGUF file: only little-endian ones can be read");
  }
  EXPECT_EQ(ErrorOf(Bytes(0, 1).Key("split.count", GgufType::kUint16).Put(uint16_t{3})),
            "is one of the 3 parts of a split model: join them first (llama-gguf-split --merge)");
}

TEST_F(GgufDamageTest, CountsAndLengthsBeyondTheFile) {
  for (const int bits : {16, 31, 32, 47, 62, 63}) {
    const uint64_t huge = (uint64_t{1} << bits) + 1;
    EXPECT_EQ(ErrorOf(Bytes(huge, 0)), fmt::format("claims to have {} tensors", huge));
    EXPECT_EQ(ErrorOf(Bytes(0, huge)), fmt::format("claims to have {} metadata keys", huge));
    EXPECT_EQ(ErrorOf(Bytes(0, 1).Put(huge).Zeros(100)),
              "is cut short or damaged: it ends inside the name of metadata key 0");
    EXPECT_EQ(ErrorOf(Bytes(1, 0).Put(huge).Zeros(100)),
              "is cut short or damaged: it ends inside the name of tensor 0");
    EXPECT_EQ(ErrorOf(Bytes(0, 1).Key("k", GgufType::kString).Put(huge).Zeros(100)),
              "is cut short or damaged: it ends inside the value of metadata key k");
    for (uint32_t type = 0; type <= 12; ++type) {
      if (type == static_cast<uint32_t>(GgufType::kArray)) continue;
      EXPECT_EQ(ErrorOf(Bytes(0, 1).Key("k", GgufType::kArray).Put(type).Put(huge).Zeros(100)),
                "is cut short or damaged: it ends inside the value of metadata key k");
    }
  }
}

TEST_F(GgufDamageTest, KeysThatAreWrong) {
  EXPECT_EQ(ErrorOf(Bytes(0, 1).Key("a\nb", GgufType::kUint8).Zeros(1)),
            "metadata key 0 has the bad name 'a\\x0ab'");
  EXPECT_EQ(ErrorOf(Bytes(0, 1).Key("", GgufType::kUint8).Zeros(1)),
            "metadata key 0 has the bad name ''");
  EXPECT_THAT(ErrorOf(Bytes(0, 1).Key(std::string(65536, 'k'), GgufType::kUint8).Zeros(1)),
              StartsWith("metadata key 0 has the bad name 'kkk"));
  EXPECT_EQ(ErrorOf(Bytes(0, 1).Key("k", static_cast<GgufType>(13)).Zeros(8)),
            "metadata key k is of the unknown type 13");
  EXPECT_EQ(ErrorOf(Bytes(0, 1).Key("k", GgufType::kArray).Put(uint32_t{9}).Zeros(100)),
            "metadata key k is an array of arrays, which is not supported");
  EXPECT_EQ(
      ErrorOf(Bytes(0, 2).Key("k", GgufType::kUint8).Zeros(1).Key("k", GgufType::kBool).Zeros(1)),
      "metadata key k occurs twice");
  for (const uint32_t alignment : {0, 1, 4, 24, 131072}) {
    EXPECT_EQ(
        ErrorOf(Bytes(0, 1).Key("general.alignment", GgufType::kUint32).Put(alignment)),
        fmt::format("general.alignment is {}: wanted a power of two from 8 to 65536", alignment));
  }
  EXPECT_THAT(ErrorOf(Bytes(0, 1).Key("general.alignment", GgufType::kString).Text("32")),
              HasSubstr("wanted an integer"));
}

TEST_F(GgufDamageTest, ATensorWithoutADimensionHasOneElement) {
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {}, 0, 0).Zeros(100)),
            "metadata key general.architecture is missing");
  EXPECT_EQ(GgufReader::Open(path())->FindTensor("t")->elements, 1);
}

TEST_F(GgufDamageTest, TensorsThatAreWrong) {
  const std::string bad = std::string(65, 't');
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor(bad, {1}, 0, 0).Zeros(100)),
            "tensor 0 has the bad name '" + bad + "'");
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("\xff", {1}, 0, 0).Zeros(100)),
            "tensor 0 has the bad name '\\xff'");
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {1, 1, 1, 1, 1}, 0, 0).Zeros(100)),
            "tensor t has 5 dimensions");
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {4, 0}, 0, 0).Zeros(100)),
            "tensor t has a dimension of 0");
  EXPECT_EQ(ErrorOf(Bytes(2, 0).Tensor("t", {1}, 0, 0).Tensor("t", {1}, 0, 32).Zeros(100)),
            "tensor t occurs twice");
  for (const std::vector<uint64_t>& dims :
       std::vector<std::vector<uint64_t>>{{~uint64_t{0}},
                                          {uint64_t{1} << 63},
                                          {uint64_t{1} << 32, uint64_t{1} << 32},
                                          {uint64_t{1} << 40, 1, 1, uint64_t{1} << 21},
                                          {3, uint64_t{1} << 60}}) {
    EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", dims, 0, 0).Zeros(100)),
              "tensor t claims more elements than any memory holds");
  }
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {100}, 8, 0).Zeros(1000)),
            "tensor t has rows of 100 elements, not a multiple of 32, as Q8_0 needs");
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {100, 3}, 36, 0).Zeros(1000)),
            "tensor t has a total of 300 elements, not a multiple of 128, as I2_S needs");
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {96, 2}, 42, 0).Zeros(1000)),
            "tensor t has rows of 96 elements, not a multiple of 64, as Q2_0 needs");
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {192, 2}, 142, 0).Zeros(1000)),
            "tensor t has rows of 192 elements, not a multiple of 128, as PQ2_0 needs");
}

TEST_F(GgufDamageTest, TensorTypesThatAreNotRead) {
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {1}, 13, 0).Zeros(100)),
            "tensor t is of type 13 (Q5_K), which is not supported");
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {1}, 1000, 0).Zeros(100)),
            "tensor t is of the unknown type 1000");
  for (const uint32_t type : {37, 38, 39}) {
    EXPECT_THAT(ErrorOf(Bytes(1, 0).Tensor("t", {1}, type, 0).Zeros(100)),
                ::testing::AllOf(HasSubstr("bitfetch convert"), HasSubstr("--outtype tq2_0")));
  }
}

TEST_F(GgufDamageTest, DataThatIsNotWhereItSays) {
  EXPECT_EQ(ErrorOf(Bytes(1, 0).Tensor("t", {1}, 0, 8).Zeros(1000)),
            "tensor t is at offset 8, not a multiple of the alignment 32");
  for (const uint64_t offset :
       {uint64_t{1024}, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0} - 31}) {
    EXPECT_THAT(ErrorOf(Bytes(1, 0).Tensor("t", {1}, 0, offset).Zeros(1000)),
                StartsWith("tensor t ends outside the file: 4 bytes at offset "));
  }
  EXPECT_THAT(ErrorOf(Bytes(1, 0).Tensor("t", {uint64_t{1} << 60}, 0, 0).Zeros(1000)),
              StartsWith("tensor t ends outside the file: 4611686018427387904 bytes at offset 0"));
  EXPECT_EQ(ErrorOf(Bytes(2, 0).Tensor("t", {9}, 0, 0).Tensor("u", {1}, 0, 32).Zeros(1000)),
            "tensors t and u overlap");
  EXPECT_EQ(ErrorOf(Bytes(2, 0).Tensor("t", {8}, 0, 32).Tensor("u", {9}, 0, 0).Zeros(1000)),
            "tensors u and t overlap");
  EXPECT_THAT(ErrorOf(Bytes(2, 0).Tensor("t", {8}, 0, 32).Tensor("u", {8}, 0, 0).Zeros(1000)),
              HasSubstr("general.architecture is missing"));  // all is well with the tensors
}

// Tensors t and u of 128 x 32 elements of type 42, with so much room for each.
Bytes TwoOfQ2_0(uint64_t room_of_t, size_t room_of_u) {
  Bytes bytes(2, 0);
  bytes.Tensor("t", {128, 32}, 42, 0).Tensor("u", {128, 32}, 42, room_of_t);
  return bytes.Zeros((32 - bytes.text().size() % 32) % 32 + room_of_t + room_of_u);
}

// Groups of 128 take 1088 bytes, groups of 64 take 1152.
TEST_F(GgufDamageTest, TheGroupsOfQ2_0AreTold) {
  const auto old = [&](uint64_t room_of_t, size_t room_of_u) {
    EXPECT_EQ(ErrorOf(TwoOfQ2_0(room_of_t, room_of_u)),
              "metadata key general.architecture is missing");
    return GgufReader::Open(path())->old_q2_0();
  };
  EXPECT_FALSE(old(1152, 1152));
  EXPECT_FALSE(old(4096, 4096));
  EXPECT_TRUE(old(1088, 1088));
  // A file of groups of 64 that was cut, and tensors whose room fits neither.
  EXPECT_EQ(ErrorOf(TwoOfQ2_0(1152, 1088)),
            "tensor u ends outside the file: 1152 bytes at offset 1152, of 2240 bytes of data");
  EXPECT_EQ(ErrorOf(TwoOfQ2_0(1088, 1152)), "tensors t and u overlap");
  EXPECT_EQ(ErrorOf(TwoOfQ2_0(1056, 1152)), "tensors t and u overlap");
}

}  // namespace
}  // namespace bitfetch
