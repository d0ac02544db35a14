// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/temp_dir.h"
#include "cli/test_program.h"
#include "cli/test_terminal.h"
#include "engine/test_profile.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class BenchTest : public ::testing::Test {
 protected:
  // Spreads are in order, and there for every figure that was repeated.
  static void ExpectSpread(const Json& row, const std::string& name) {
    EXPECT_GT(row.at(name + "_min").get<double>(), 0);
    EXPECT_LE(row.at(name + "_min"), row.at(name));
    EXPECT_LE(row.at(name), row.at(name + "_max"));
  }

  TestProfile profile_;
  TempDir dir_;
};

TEST_F(BenchTest, AttentionGivesATableAndJson) {
  const std::string path = dir_.Path("rows.json");
  const Finished finished =
      RunProgram({"bench",     "attention",   "--shape",    "1,2,32",   "--n-kv",
                  "100",       "-t",          "1",          "--layout", "contiguous,paged",
                  "--kv-type", "f16,f32:f16", "--prefetch", "off,4096", "--pages",
                  "4k",        "--repeats",   "2",          "--json",   path});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(finished.err, "");
  EXPECT_EQ(Lines(finished.out), 1 + 8);
  EXPECT_EQ(finished.out.rfind("threads", 0), 0u);
  EXPECT_THAT(finished.out, HasSubstr("KV tokens  prefetch  bytes ahead"));

  std::ifstream file(path);
  const Json rows = Json::parse(file);
  ASSERT_EQ(rows.size(), 8u);
  std::set<std::string> combinations;
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("bench"), "attention");
    EXPECT_EQ(row.at("threads"), 1);
    EXPECT_EQ(row.at("n_kv"), 100);
    EXPECT_EQ(row.at("pages"), "4k");
    EXPECT_EQ(row.at("repeats"), 2);
    EXPECT_EQ(row.at("prefetch") == "off", row.at("distance_bytes") == 0);
    EXPECT_EQ(row.at("prefetch") == "off", row.at("hint") == "none");
    EXPECT_GE(row.at("streams"), 1);
    combinations.insert(row.at("layout").get<std::string>() + row.at("kv_type").get<std::string>() +
                        row.at("prefetch").get<std::string>());
    for (const char* name : {"gb_per_s", "read_gb_per_s", "fraction", "over_off"}) {
      ExpectSpread(row, name);
    }
  }
  EXPECT_EQ(combinations.size(), 8u);
}

TEST_F(BenchTest, OffTwiceGivesTwoRows) {
  const Finished finished =
      RunProgram({"bench", "attention", "--shape", "1,1,32", "--n-kv", "64", "-t", "1",
                  "--prefetch", "off,off,auto", "--repeats", "1", "--json", "-"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].at("over_off"), 1.0);
  EXPECT_EQ(rows[1].at("prefetch"), "off");
  EXPECT_EQ(rows[2].at("prefetch"), "auto");
}

TEST_F(BenchTest, DistanceSweepsAndComparesTheLaw) {
  const Finished finished =
      RunProgram({"bench", "distance", "--shape", "1,1,32", "--n-kv", "64", "-t", "1", "--layout",
                  "paged", "--repeats", "1", "--json", "-"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out);
  // Off, law, and for both hints 11 distances, less those below a line a stream.
  ASSERT_EQ(rows.size(), 2u + 2 * (11 + 10 + 9 + 8 + 7));
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("bench"), "distance");
    EXPECT_EQ(row.at("layout"), "paged");
    for (const char* name : {"gb_per_s", "read_gb_per_s", "fraction"}) ExpectSpread(row, name);
    EXPECT_EQ(row.contains("ratio"), row.at("prefetch") == "auto");
    const std::string prefetch = row.at("prefetch");
    if (prefetch != "off" && prefetch != "auto") {
      EXPECT_EQ(prefetch, std::to_string(row.at("distance_bytes").get<int>()));
      EXPECT_THAT(row.at("hint"), ::testing::AnyOf("l1", "l2"));
    }
  }
  const Json& law = rows.back();
  ExpectSpread(law, "ratio");
  EXPECT_GE(law.at("pairs"), 15);
  for (const char* name : {"best_distance_bytes", "best_streams", "best_hint"}) {
    EXPECT_TRUE(law.contains(name)) << name;
  }
}

TEST_F(BenchTest, DistanceSweepsWeights) {
  const Finished finished = RunProgram({"bench", "distance", "--weights", "fours,fives", "-t", "1",
                                        "--repeats", "1", "--json", "-"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out);
  // Off, auto, and of each hint what are whole lines along one, two and four streams.
  ASSERT_EQ(rows.size(), 2 * (2u + 2 * (11 + 10 + 9)));
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("bench"), "distance");
    EXPECT_THAT(row.at("weights"), ::testing::AnyOf("fours", "fives"));
    EXPECT_FALSE(row.contains("n_kv"));
    ExpectSpread(row, "fraction");
  }
  ExpectSpread(rows.back(), "ratio");
}

TEST_F(BenchTest, DistanceEndsWithWhatCameOfIt) {
  const Finished finished =
      RunProgram({"bench", "distance", "--shape", "1,1,32", "--n-kv", "64,128", "-t", "1",
                  "--layout", "paged", "--repeats", "1"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  std::vector<std::string> lines;
  std::istringstream out(finished.out);
  for (std::string line; std::getline(out, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 1u + 2 * (2 + 2 * (11 + 10 + 9 + 8 + 7)) + 2);
  const std::string plan = "(off|[0-9]+ bytes ahead, (1 stream|[0-9]+ streams), l[12])";
  for (const int n_kv : {64, 128}) {
    EXPECT_THAT(lines[lines.size() - (n_kv == 64 ? 2 : 1)],
                ::testing::MatchesRegex(fmt::format(
                    "1 thread, huge pages, paged, f16, {} tokens: best {}; auto {}; auto over "
                    "best [0-9.]+ \\([0-9. ]+\\), [0-9]+ pairs",
                    n_kv, plan, plan)));
  }
}

TEST_F(BenchTest, EveryCommandHasHelpAndAnExample) {
  for (const std::string command : {"attention", "batch", "cache", "decode", "distance", "draft",
                                    "memory", "misses", "prefill", "report"}) {
    const Finished help = RunProgram({"bench", command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_EQ(help.err, "") << command;
    EXPECT_THAT(help.out, HasSubstr("usage: bitfetch bench " + command));
    EXPECT_THAT(help.out, HasSubstr("\n  bitfetch bench " + command));
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST_F(BenchTest, BadUsageIsSaidInOneLineAndAHint) {
  struct Case {
    std::vector<std::string> arguments;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{}, "a command is missing"},
      {{"nothing"}, "there is no command 'nothing'"},
      {{"attention", "--shape", "5,4"}, "--shape: '5,4' is not a shape"},
      {{"attention", "--shape", "5,4,24"}, "--shape: heads of 24 dimensions"},
      {{"attention", "--layout", "sparse"}, "--layout: 'sparse' is not known"},
      {{"attention", "--n-kv", "0"}, "--n-kv: 0 is out of range"},
      {{"attention", "--prefetch", "on"}, "--prefetch: "},
      {{"distance", "--repeats", "0"}, "--repeats: 0 is out of range"},
      {{"distance", "--kv-type", "f8"}, "--kv-type: "},
      {{"distance", "--prefetch", "off"}, "there is no option '--prefetch'"},
      {{"memory", "--pages", "1g"}, "--pages: "},
      {{"memory", "-t", "1,"}, "-t: '' is not a whole number"},
      {{"memory", "-t", "0"}, "-t: 0 is out of range"},
  };
  for (Case each : cases) {
    each.arguments.insert(each.arguments.begin(), "bench");
    const Finished finished = RunProgram(each.arguments);
    EXPECT_EQ(finished.code, 2) << each.message;
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(finished.err.rfind("error: ", 0), 0u) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(each.message));
    EXPECT_THAT(finished.err, HasSubstr("\nusage: bitfetch bench"));
    EXPECT_EQ(Lines(finished.err), 2) << finished.err;
  }
  // Known types and shapes that don't go together.
  const Finished finished =
      RunProgram({"bench", "attention", "--shape", "1,1,48", "--kv-type", "q8_0"});
  EXPECT_EQ(finished.code, 1);
  EXPECT_EQ(finished.err.rfind("error: ", 0), 0u) << finished.err;
  EXPECT_EQ(Lines(finished.err), 1);
}

TEST_F(BenchTest, CtrlCLeavesNoHalfWrittenFile) {
  std::string threads = "1";
  for (int i = 0; i < 500; ++i) threads += ",1";
  Program program({"bench", "memory", "-t", threads, "--pages", "4k", "--repeats", "3", "--json",
                   dir_.Path("rows.json")});
  ASSERT_NE(program.WaitForOut(1), "");
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().code, 130);
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    EXPECT_EQ(entry.path().filename().string().find("rows"), std::string::npos) << entry.path();
  }
}

TEST_F(BenchTest, AClosedPipeEndsTheMeasuring) {
  std::string threads = "1";
  for (int i = 0; i < 5000; ++i) threads += ",1";  // hours
  Program program({"bench", "memory", "-t", threads, "--pages", "4k", "--repeats", "1"}, "",
                  /*max_out=*/1);
  const Finished finished = program.Wait();
  EXPECT_EQ(finished.err, "");
}

TEST_F(BenchTest, AJsonFileThatCannotBeWrittenIsAnErrorAtOnce) {
  ExpectError(RunProgram({"bench", "attention", "--json", dir_.Path("no/a.json")}), "No such file");
  ExpectError(RunProgram({"bench", "memory", "--repeats", "100000", "--json", dir_.path()}),
              dir_.path());
}

TEST_F(BenchTest, JsonToStdoutIsAllThatIsThere) {
  const Finished finished = RunProgram({"bench", "memory", "-t", "1", "--pages", "4k", "--layout",
                                        "paged", "--repeats", "1", "--json", "-"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(rows.is_array()) << finished.out;
  EXPECT_EQ(rows.size(), 5u);
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("bench"), "memory");
    EXPECT_EQ(row.at("layout"), "paged");
    EXPECT_EQ(row.at("pages"), "4k");
    EXPECT_EQ(row.at("prefetch") == "off", row.at("streams") == 0);
    for (const char* name : {"gb_per_s", "read_gb_per_s", "fraction"}) ExpectSpread(row, name);
  }
}

TEST_F(BenchTest, MissesGivesSharesAndHistogramsOrSaysWhyNot) {
  const std::string path = dir_.Path("rows.json");
  const Finished finished =
      RunProgram({"bench", "misses", "--shape", "1,2,64", "--n-kv", "1024", "-t", "1", "--layout",
                  "paged", "--pages", "4k", "--repeats", "1", "--json", path});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(finished.err, "");
  std::ifstream file(path);
  double shares = 0;
  int64_t touches = 0;
  int64_t in_bins = 0;
  for (const Json& row : Json::parse(file)) {
    EXPECT_EQ(row.at("bench"), "misses");
    EXPECT_EQ(row.at("layout"), "paged");
    if (row.at("prefetch") != "off") continue;
    if (row.contains("level")) {
      shares += row.at("share").get<double>();
    } else if (row.contains("from_ns")) {
      in_bins += row.at("touches").get<int64_t>();
    } else {
      EXPECT_TRUE(row.contains("touches") != row.contains("touches_unavailable"));
      touches = row.value("touches", int64_t{0});
    }
  }
  EXPECT_EQ(in_bins, touches);
  EXPECT_NEAR(shares, touches > 0 ? 1 : 0, 1e-9);
}

TEST_F(BenchTest, ReportEndsAtCtrlCAndLeavesNothing) {
  const std::string out = dir_.Path("new/report");
  Program program({"bench", "report", "--quick", "--out", out});
  const auto writes_its_model = [&] {
    std::error_code not_yet;
    for (const auto& entry : std::filesystem::directory_iterator(out, not_yet)) {
      if (entry.path().filename().string().starts_with("report-model")) return true;
    }
    return false;
  };
  while (!writes_its_model()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  program.Signal(SIGINT);
  const Finished finished = program.Wait();
  EXPECT_EQ(finished.code, 130);
  EXPECT_EQ(finished.err, "writing a model with random weights\n");
  EXPECT_FALSE(std::filesystem::exists(dir_.Path("new")));
}

// A row may take a minute: the line is there all the time.
TEST_F(BenchTest, ReportSaysOnATerminalHowFarItIs) {
  Terminal terminal;
  const std::string model = BITFETCH_SOURCE_DIR "/models/tiny.gguf";
  Program program({"bench", "report", "--quick", "--out", dir_.path(), "-m", model}, "", SIZE_MAX,
                  terminal.AsStdinAndStderr());
  ASSERT_TRUE(terminal.WaitFor("measuring whole tokens: 0 %, about 1:"));
  ASSERT_TRUE(terminal.WaitFor("measuring many sequences: "));
  EXPECT_THAT(terminal.Shown(), Not(HasSubstr("\r\x1b[K"))) << "erased";
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().code, 130);
  EXPECT_TRUE(terminal.WaitFor("\r\x1b[K"));
}

TEST_F(BenchTest, ReportLeavesAModelThatIsNotItsOwn) {
  const std::string model = dir_.Path("report-model.gguf");
  std::ofstream(model) << "x";
  const Finished given =
      RunProgram({"bench", "report", "--quick", "--out", dir_.path(), "-m", model});
  EXPECT_EQ(given.code, 1);
  EXPECT_EQ(given.err, "measuring whole tokens\nerror: " + model + ": is not a GGUF file\n");
  ExpectError(RunProgram({"bench", "report", "--quick", "--out", dir_.path()}),
              "in the way: a report that was killed leaves it");
  EXPECT_TRUE(std::filesystem::exists(model));
}

TEST_F(BenchTest, ReportSaysAtOnceWhereItCannotBeWritten) {
  std::ofstream(dir_.Path("file")) << "x";
  ExpectError(RunProgram({"bench", "report", "--quick", "--out", dir_.Path("file")}),
              dir_.Path("file"));
  EXPECT_EQ(RunProgram({"bench", "report"}).code, 2);
}

TEST_F(BenchTest, AReportThatIsEndedLeavesNoModel) {
  const std::string out = dir_.Path("report");
  std::filesystem::create_directory(out);  // not by the report: it stays
  const auto of_model = [&] {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(out, none)) {
      if (entry.path().filename().string().starts_with("report-model")) return true;
    }
    return false;
  };
  Program program({"bench", "report", "--out", out, "--quick"});
  while (!of_model()) usleep(1000);
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait().code, 143);
  EXPECT_TRUE(std::filesystem::is_empty(out));
}

}  // namespace
}  // namespace bitfetch
