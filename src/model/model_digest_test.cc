// SPDX-License-Identifier: Apache-2.0
#include "model/model_digest.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/temp_dir.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

Digest DigestOf(const std::string& path) { return ModelDigest(GgufReader::Open(path).value()); }

TEST(ModelDigest, TellsModelsApartAndNotTheirFiles) {
  const TempDir folder;
  const std::string path = folder.Path("model.gguf"), copy = folder.Path("copy.gguf");
  ASSERT_TRUE(WriteTestModel(path, {}));
  ASSERT_TRUE(WriteTestModel(copy, {}));
  EXPECT_EQ(DigestOf(path), DigestOf(copy));

  std::set<Digest> digests = {DigestOf(path)};
  ASSERT_TRUE(WriteTestModel(copy, {.context = 99}));  // metadata alone
  EXPECT_TRUE(digests.insert(DigestOf(copy)).second);

  ASSERT_TRUE(WriteTestModel(copy, {}));
  const GgufReader file = GgufReader::Open(path).value();
  for (const GgufTensor& tensor : file.tensors()) {
    for (const std::byte* byte : {&tensor.data.front(), &tensor.data.back()}) {
      ASSERT_TRUE(WriteTestModel(copy, {}));
      std::fstream damaged(copy, std::ios::in | std::ios::out | std::ios::binary);
      damaged.seekp(byte - file.bytes().data());
      damaged.put(static_cast<char>(std::to_integer<int>(*byte) ^ 1));
      damaged.close();
      EXPECT_TRUE(digests.insert(DigestOf(copy)).second) << tensor.name;
    }
  }
}

}  // namespace
}  // namespace bitfetch
