// SPDX-License-Identifier: Apache-2.0
#include "machine/profile_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "machine/probe.h"

namespace bitfetch {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// An environment variable, put back at the end.
class ScopedVariable {
 public:
  explicit ScopedVariable(const char* name) : name_(name) {
    if (const char* value = getenv(name)) old_ = value;
  }
  ~ScopedVariable() { Set(old_ ? old_->c_str() : nullptr); }
  void Set(const char* value) { value ? setenv(name_, value, 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

class ProfileStoreTest : public ::testing::Test {
 protected:
  ProfileStoreTest() {
    folder_ = fs::path(::testing::TempDir()) /
              ("profile_store_test_" + std::to_string(getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    path_ = folder_ / "bitfetch/profile.json";
    topology_.cpu = "CPU";
    topology_.threads = 2;
    profile_ = DefaultProfile(topology_);
    profile_.latency_ns = 77;
  }
  ~ProfileStoreTest() override { fs::remove_all(folder_); }

  fs::path folder_;
  std::string path_;
  Topology topology_;
  MachineProfile profile_;
};

TEST_F(ProfileStoreTest, KeepsAProfile) {
  LoadedProfile none = LoadProfile(path_, topology_, "1");
  EXPECT_FALSE(none.profile.has_value());
  EXPECT_EQ(none.warning, "");
  ASSERT_TRUE(SaveProfile(path_, profile_, "1").has_value());
  const LoadedProfile kept = LoadProfile(path_, topology_, "1");
  ASSERT_TRUE(kept.profile.has_value()) << kept.warning;
  EXPECT_EQ(kept.profile->latency_ns, 77);
}

TEST_F(ProfileStoreTest, AnotherMachineVersionOrMoreThreadsNeedAnother) {
  ASSERT_TRUE(SaveProfile(path_, profile_, "1").has_value());
  const auto expect_none = [&](const Topology& topology, std::string_view version) {
    const LoadedProfile loaded = LoadProfile(path_, topology, version);
    EXPECT_FALSE(loaded.profile.has_value());
    EXPECT_EQ(loaded.warning, "");
  };
  expect_none(topology_, "2");
  Topology other = topology_;
  other.cpu = "CPU 2";
  expect_none(other, "1");
  other = topology_;
  other.threads = 3;
  expect_none(other, "1");
  other = topology_;
  other.cache_source = CacheSource::kSystem;
  EXPECT_TRUE(LoadProfile(path_, other, "1").profile.has_value());
  for (int64_t Topology::*bytes :
       {&Topology::l1d_bytes, &Topology::l2_bytes, &Topology::l3_bytes}) {
    Topology machine = other;
    machine.*bytes *= 2;
    expect_none(machine, "1");
  }
  other = topology_;
  other.threads = 1;
  EXPECT_TRUE(LoadProfile(path_, other, "1").profile.has_value());
}

TEST_F(ProfileStoreTest, FixedFactsAreTodays) {
  ASSERT_TRUE(SaveProfile(path_, profile_, "1").has_value());
  topology_.cores = 7;
  topology_.l2_bytes = 3 << 20;  // assumed: nobody knows better than what was measured
  const LoadedProfile kept = LoadProfile(path_, topology_, "1");
  EXPECT_EQ(kept.profile->cores, 7);
  EXPECT_EQ(kept.profile->l2_bytes, profile_.l2_bytes);
}

TEST_F(ProfileStoreTest, ADamagedFileIsNamedAndIgnored) {
  ASSERT_TRUE(SaveProfile(path_, profile_, "1").has_value());
  for (const std::string& text : {std::string("{"), std::string(), std::string(2 << 20, ' ')}) {
    std::ofstream(path_) << text;
    const LoadedProfile loaded = LoadProfile(path_, topology_, "1");
    EXPECT_FALSE(loaded.profile.has_value());
    EXPECT_THAT(loaded.warning, HasSubstr(path_));
    EXPECT_EQ(loaded.warning.find('\n'), std::string::npos);
  }
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_THAT(LoadProfile(path_, topology_, "1").warning, HasSubstr(path_));
}

TEST_F(ProfileStoreTest, AFolderThatCannotBeMadeIsAnError) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "bitfetch") << "a file";
  const Status saved = SaveProfile(path_, profile_, "1");
  ASSERT_FALSE(saved.has_value());
  EXPECT_THAT(saved.error().message, HasSubstr(path_));
  EXPECT_FALSE(SaveProfile("", profile_, "1").has_value());
}

TEST_F(ProfileStoreTest, ThePathFollowsXdg) {
  ScopedVariable cache("XDG_CACHE_HOME"), home("HOME");
  cache.Set("/c");
  home.Set("/h");
  EXPECT_EQ(ProfilePath(), "/c/bitfetch/profile.json");
  cache.Set("relative");  // the specification: to be ignored
  EXPECT_EQ(ProfilePath(), "/h/.cache/bitfetch/profile.json");
  cache.Set(nullptr);
  EXPECT_EQ(ProfilePath(), "/h/.cache/bitfetch/profile.json");
  home.Set(nullptr);
  EXPECT_EQ(ProfilePath(), "");
}

// Kernels that cost no time to measure, all as fast as `hot_bytes_per_s`; counts how often it is
// asked.
KernelProbe FakeProbe(const std::vector<std::string>& names, double hot_bytes_per_s, int* asked,
                      bool complete = true) {
  KernelProbe probe;
  probe.names = names;
  probe.measure = [=](const KernelProbe::Ground&, MachineProfile& profile) {
    ++*asked;
    for (const std::string& name : complete ? names : std::vector<std::string>()) {
      profile.kernels.push_back({name, 16, hot_bytes_per_s, {{}}});
    }
    return complete;
  };
  return probe;
}

class ReadOrMeasureTest : public ProfileStoreTest {
 protected:
  ReadOrMeasureTest() {
    cache_.Set(folder_.c_str());
    topology_.last_level_bytes = 1 << 20;  // a smaller buffer
    topology_.threads = 1;
    profile_ = DefaultProfile(topology_);
    profile_.latency_ns = 77;
    profile_.kernels = {{"a", 16, 1e9, {{}}}, {"b", 8, 1e9, {{}}}};
  }
  ProbedProfile Read(const KernelProbe& kernels) {
    return ReadOrMeasureProfile(topology_, ProbeEffort::kQuick, "1", kernels);
  }

  ScopedVariable cache_{"XDG_CACHE_HOME"};
  int asked_ = 0;
};

TEST_F(ReadOrMeasureTest, TakesWhatIsKept) {
  ASSERT_TRUE(SaveProfile(path_, profile_, "1").has_value());
  const ProbedProfile probed = Read(FakeProbe({"b"}, 5e9, &asked_));
  EXPECT_EQ(probed.profile.latency_ns, 77);
  EXPECT_EQ(FindKernel(probed.profile, "b")->hot_bytes_per_s, 1e9);
  EXPECT_EQ(probed.warning, "");
  EXPECT_EQ(asked_, 0);
}

TEST_F(ReadOrMeasureTest, AddsKernelsThatAreNotKept) {
  ASSERT_TRUE(SaveProfile(path_, profile_, "1").has_value());
  const ProbedProfile probed = Read(FakeProbe({"b", "c"}, 5e9, &asked_));
  EXPECT_EQ(probed.warning, "");
  if (asked_ == 0) GTEST_SKIP() << "the machine was too busy";
  const auto kept = LoadProfile(path_, topology_, "1");
  for (const MachineProfile* profile : {&probed.profile, &*kept.profile}) {
    EXPECT_EQ(profile->latency_ns, 77);
    EXPECT_EQ(FindKernel(*profile, "a")->hot_bytes_per_s, 1e9);
    EXPECT_EQ(FindKernel(*profile, "b")->hot_bytes_per_s, 5e9);
    EXPECT_EQ(FindKernel(*profile, "c")->hot_bytes_per_s, 5e9);
  }
}

TEST_F(ReadOrMeasureTest, KeepsOnlyWhatIsComplete) {
  ASSERT_TRUE(SaveProfile(path_, profile_, "1").has_value());
  const ProbedProfile probed = Read(FakeProbe({"c"}, 5e9, &asked_, /*complete=*/false));
  EXPECT_NE(FindKernel(probed.profile, "a"), nullptr);
  EXPECT_EQ(FindKernel(probed.profile, "c"), nullptr);
  EXPECT_EQ(FindKernel(*LoadProfile(path_, topology_, "1").profile, "c"), nullptr);
}

TEST_F(ReadOrMeasureTest, GoesOnWithADamagedFile) {
  fs::create_directories(folder_ / "bitfetch");
  std::ofstream(path_) << "{";
  const ProbedProfile probed = Read({});
  EXPECT_TRUE(CheckProfile(probed.profile).has_value());
  EXPECT_THAT(probed.warning, HasSubstr(path_));
}

}  // namespace
}  // namespace bitfetch
