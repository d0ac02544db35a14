// SPDX-License-Identifier: Apache-2.0
#include "serve/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_dir.h"

namespace bitfetch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ApiKeys, AreFoundByWhatTheyAre) {
  const std::vector<std::string> list = {"first", "second"};
  const ApiKeys keys = ApiKeys::Create(list).value();
  EXPECT_EQ(keys.Find("first"), 1u);
  EXPECT_EQ(keys.Find("second"), 2u);
  for (const char* other : {"", "firs", "first ", "FIRST", "firstsecond"}) {
    EXPECT_EQ(keys.Find(other), 0u) << other;
  }
  EXPECT_TRUE(ApiKeys::Create({}).value().empty());
  EXPECT_EQ(ApiKeys::Create({}).value().Find(""), 0u);
}

TEST(ApiKeys, RefusesWhatNoRequestCanHave) {
  for (const char* key : {"", "two words", "a\nb", "\xff"}) {
    EXPECT_FALSE(ApiKeys::Create(std::vector<std::string>{key})) << key;
  }
}

TEST(ApiKeys, AreReadFromAFile) {
  const TempDir folder;
  const std::string path = folder.Path("keys");
  std::ofstream(path) << "# tenants\n  one \r\n\ntwo";
  EXPECT_THAT(ReadKeyFile(path).value(), ElementsAre("one", "two"));
  std::ofstream(path) << "# none\n";
  EXPECT_THAT(ReadKeyFile(path).error().message, HasSubstr("no key"));
  EXPECT_THAT(ReadKeyFile(folder.Path("missing")).error().message, HasSubstr("missing"));
}

}  // namespace
}  // namespace bitfetch
