// SPDX-License-Identifier: Apache-2.0
// `bitfetch convert` as a user meets it. What it reads and writes: src/convert/convert_test.cc.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "convert/test_hf_folder.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class ConvertCommandTest : public ::testing::Test {
 protected:
  ConvertCommandTest() : folder_(dir_.Path("model"), HfModel("bitnet-b1.58"), HfForm::kPacked) {
    setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1);
    std::filesystem::create_directory(dir_.Path("out"));
    folder_.Write();
  }

  std::vector<std::string> Convert(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"convert", folder_.path(), "--out", out_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  bool Empty() const { return std::filesystem::is_empty(dir_.Path("out")); }

  TempDir dir_;
  TestHfFolder folder_;
  std::string out_ = dir_.Path("out/model.gguf");
};

TEST_F(ConvertCommandTest, WritesAModelThatRuns) {
  const Finished converted = RunProgram(Convert({"--type", "i2_s"}));
  EXPECT_EQ(converted.code, 0);
  EXPECT_EQ(converted.out, "");
  EXPECT_THAT(converted.err, MatchesRegex("wrote " + out_ + ", [0-9.]+ [KM]B\n"));
  const std::vector<std::string> generate = {"-p", "abc",        "-n",  "8",  "--seed",
                                             "1",  "--prefetch", "off", "-t", "1"};
  const auto written_by = [&](const std::string& model) {
    std::vector<std::string> arguments = {"generate", "-m", model};
    arguments.insert(arguments.end(), generate.begin(), generate.end());
    const Finished finished = RunProgram(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished.out;
  };
  EXPECT_EQ(written_by(out_), written_by(folder_.gguf_path()));
  EXPECT_THAT(RunProgram({"info", "-m", out_}).out, HasSubstr("model                     model"));
}

TEST_F(ConvertCommandTest, BadUsage) {
  EXPECT_EQ(RunProgram({"convert"}).code, 2);
  EXPECT_EQ(RunProgram({"convert", folder_.path()}).code, 2);
  const Finished type = RunProgram(Convert({"--type", "f16"}));
  EXPECT_EQ(type.code, 2);
  EXPECT_THAT(type.err, HasSubstr("--type: 'f16' is not known: wanted i2_s"));
  EXPECT_TRUE(Empty());
}

TEST_F(ConvertCommandTest, ErrorsLeaveNothing) {
  ExpectError(RunProgram({"convert", dir_.Path("none"), "--out", out_}), "has no config.json");
  ExpectError(RunProgram(Convert({"--pre", "x"})), "pre-tokenizer 'x' is not supported");
  ExpectError(RunProgram({"convert", folder_.path(), "--out", dir_.Path("no/m.gguf")}),
              "No such file or directory");
  Program program(Convert(), "", SIZE_MAX, [] {
    const rlimit limit = {100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  ExpectError(program.Wait(), out_ + ": File too large");
  EXPECT_TRUE(Empty());
}

// A file with holes, of which all weights are zero, and which takes a second.
TEST_F(ConvertCommandTest, CtrlCLeavesNothing) {
  constexpr int64_t kFfn = 1 << 18;
  std::string scales, tensors;
  int64_t end = 0;
  const auto add = [&](std::string_view name, std::string_view dtype, const std::string& shape,
                       int64_t bytes) {
    tensors += fmt::format(R"({}"{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                           tensors.empty() ? "" : ",", name, dtype, shape, end, end + bytes);
    end += bytes;
  };
  constexpr int kLayers = 16;
  for (int i = 0; i < kLayers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    for (const char* name : {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "self_attn.q_proj",
                             "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"}) {
      add(fmt::format("{}{}.weight_scale", layer, name), "F32", "[1]", 4);
      const float one = 1;
      scales.append(reinterpret_cast<const char*>(&one), sizeof one);
    }
  }
  add("model.embed_tokens.weight", "F16", "[512,256]", 512 * 256 * 2);
  add("model.norm.weight", "F32", "[256]", 1024);
  for (int i = 0; i < kLayers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    add(layer + "input_layernorm.weight", "F32", "[256]", 1024);
    add(layer + "post_attention_layernorm.weight", "F32", "[256]", 1024);
    for (const char* name : {"q", "k", "v", "o"}) {
      add(fmt::format("{}self_attn.{}_proj.weight", layer, name), "U8", "[64,256]", 64 * 256);
    }
    add(layer + "mlp.gate_proj.weight", "U8", "[65536,256]", kFfn / 4 * 256);
    add(layer + "mlp.up_proj.weight", "U8", "[65536,256]", kFfn / 4 * 256);
    add(layer + "mlp.down_proj.weight", "U8", "[64,262144]", kFfn / 4 * 256);
  }
  const std::string header = fmt::format("{{{}}}", tensors);
  const std::string path = folder_.path() + "/model.safetensors";
  WriteRawSafetensors(path, header, scales);
  std::filesystem::resize_file(path, 8 + header.size() + static_cast<size_t>(end));
  WriteText(folder_.path() + "/config.json",
            fmt::format(R"({{"architectures":["LlamaForCausalLM"],"hidden_act":"silu",)"
                        R"("num_hidden_layers":{},"hidden_size":256,"intermediate_size":{},)"
                        R"("num_attention_heads":4,"vocab_size":512,)"
                        R"("max_position_embeddings":512,"tie_word_embeddings":true,)"
                        R"("quantization_config":{{"quant_method":"bitnet"}}}})",
                        kLayers, kFfn));
  Program program(Convert());
  while (Empty()) usleep(1000);
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().code, 130);
  EXPECT_TRUE(Empty());
}

}  // namespace
}  // namespace bitfetch
