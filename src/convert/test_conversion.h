// SPDX-License-Identifier: Apache-2.0
// For tests: converts folders.
#ifndef BITFETCH_CONVERT_TEST_CONVERSION_H_
#define BITFETCH_CONVERT_TEST_CONVERSION_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/temp_dir.h"
#include "convert/convert.h"
#include "convert/test_hf_folder.h"
#include "engine/session.h"

namespace bitfetch {

inline std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class ConvertTest : public ::testing::Test {
 protected:
  TestHfFolder Folder(const TestModel& model, HfForm form) {
    return TestHfFolder(dir_.Path("folder"), model, form);
  }
  TestHfFolder Folder(const std::string& architecture, HfForm form) {
    TestModel model = HfModel(architecture);
    model.own_output = architecture == "llama";
    return Folder(model, form);
  }

  Status Convert(const ConvertOptions& options = {}) {
    return ConvertModel(dir_.Path("folder"), out_, options, {});
  }
  // Of a folder that can't be converted; nothing is left of the attempt.
  std::string ErrorOf(const TestHfFolder& folder, const ConvertOptions& options = {}) {
    folder.Write();
    const Status status = Convert(options);
    EXPECT_TRUE(std::filesystem::is_empty(dir_.Path("out")));
    if (status) return "";
    EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
    EXPECT_THAT(status.error().message, ::testing::HasSubstr(folder.path()));
    return status.error().message;
  }

  static std::vector<float> Logits(const std::string& model) {
    EngineOptions options{.threads = 1};
    options.prefetch.mode = PrefetchSetting::Mode::kOff;
    auto session = Session::Open(model, options);
    if (!session) {
      ADD_FAILURE() << session.error().message;
      return {};
    }
    EXPECT_TRUE((*session)->Append(std::vector<int>{1, 20, 3, 20, 111}));
    std::vector<float> logits;
    const auto by_id = (*session)->Logits().value();
    for (const Logit& logit : by_id) logits.push_back(logit.value);
    return logits;
  }

  TempDir dir_;
  std::string out_ = (std::filesystem::create_directory(dir_.Path("out")), dir_.Path("out/m.gguf"));
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_TEST_CONVERSION_H_
