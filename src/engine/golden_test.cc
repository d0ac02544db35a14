// SPDX-License-Identifier: Apache-2.0
// One answer everywhere: hashes of logits in testdata/golden.txt, which every ISA, number of
// threads, batch, prefetch setting and machine must give. After a change that is meant to alter
// results, BITFETCH_UPDATE_GOLDEN=1 writes it anew (a model at a time: not with several jobs).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "base/test_effort.h"
#include "engine/session.h"
#include "engine/test_profile.h"
#include "kernels/kernels.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

constexpr int64_t kTokens = 70;
constexpr std::array kTypes = {"f32", "f16", "q8_0", "q4_0", "q8_0:q4_0"};
// Of what these models have in common with others, one type is enough.
constexpr std::string_view kOneType = "f16";
const std::set<std::string> kOfOneType = {"qwen3-128x2", "qwen3-q2_0-128x2", "qwen3-in-64x1",
                                          "gemma3-in-256x4", "1bitllm-96x1"};
const std::string kGoldenFile = BITFETCH_SOURCE_DIR "/src/engine/testdata/golden.txt";

struct Variant {
  std::string isa;
  int64_t batch = 64;
  int threads = 2;
  std::string prefetch = "auto";
};

// Of the KV type of this number in kTypes. Over the types, each ISA has batches of each size with
// each number of threads and each prefetch setting.
std::vector<Variant> Variants(size_t type) {
  constexpr std::array<int64_t, 3> kBatches = {1, 7, 64};
  constexpr std::array kThreads = {1, 2, 5};
  constexpr std::array kPrefetch = {"auto", "off", "64", "4096", "1048576"};
  static_assert(kPrefetch.size() == kTypes.size());
  std::vector<Variant> variants;
  for (const Kernels* kernels : SupportedKernels()) {
    for (size_t i = 0; i < kBatches.size(); ++i) {
      const bool slow = kernels->isa == Isa::kScalar;
      if ((slow || kIsSlow) && i != type % kBatches.size()) continue;
      variants.push_back({std::string(IsaName(kernels->isa)), kBatches[i],
                          kThreads[(type + i) % kThreads.size()],
                          kPrefetch[(type + 2 * i) % kPrefetch.size()]});
    }
  }
  return variants;
}

// FNV-1a over the bits of the logits.
class Hash {
 public:
  void Add(std::span<const float> floats) {
    for (const float value : floats) {
      const auto bits = std::bit_cast<uint32_t>(value);
      for (int shift = 0; shift < 32; shift += 8)
        state_ = (state_ ^ ((bits >> shift) & 0xff)) * 0x100000001b3u;
    }
  }
  std::string Hex() const { return fmt::format("{:016x}", state_); }

 private:
  uint64_t state_ = 0xcbf29ce484222325u;
};

std::string HashLogits(const std::string& path, KvTypes types, const Variant& variant) {
  setenv("BITFETCH_ISA", variant.isa.c_str(), 1);
  EngineOptions options{.threads = variant.threads, .kv_types = types};
  options.prefetch = ParsePrefetchSetting(variant.prefetch).value();
  options.prefetch_ahead = variant.prefetch != "off";
  auto session = Session::Open(path, options);
  unsetenv("BITFETCH_ISA");
  if (!session) {
    ADD_FAILURE() << session.error().message;
    return "none";
  }
  const int64_t vocab = (*session)->model().config().vocab;
  std::vector<int> tokens;
  for (int64_t i = 0; i < kTokens; ++i)
    tokens.push_back(static_cast<int>((7 + i * i * 31) % vocab));

  Hash hash;
  std::vector<float> logits(variant.batch * vocab);
  for (int64_t done = 0; done < kTokens; done += variant.batch) {
    const auto batch = std::span(tokens).subspan(done, std::min(variant.batch, kTokens - done));
    const Status status = (*session)->AppendBatch(batch, logits.data());
    EXPECT_TRUE(status) << status.error().message;
    hash.Add(std::span(logits).first(batch.size() * vocab));
  }
  return hash.Hex();
}

std::map<std::string, std::string> ReadGolden() {
  std::map<std::string, std::string> golden;
  std::ifstream file(kGoldenFile);
  for (std::string name, hash; file >> name >> hash;) golden[name] = hash;
  return golden;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, EveryIsaThreadsBatchAndPrefetchGiveTheSameLogits) {
  const TempDir folder;
  const TestProfile profile;
  std::map<std::string, TestModel> shapes = {
      {"bitnet-128x5",
       {.hidden = 640, .ffn = 384, .heads = 5, .kv_heads = 1, .head_dim = 128, .vocab = 101}},
      {"bitnet-64x2",
       {.hidden = 256, .ffn = 512, .heads = 4, .kv_heads = 2, .head_dim = 64, .own_output = true}},
      {"llama-96x1",
       {.architecture = "llama",
        .hidden = 256,
        .ffn = 256,
        .heads = 8,
        .kv_heads = 8,
        .head_dim = 96,
        .linear = TensorType::kTQ2_0,
        .embedding = TensorType::kF32}},
      {"1bitllm-96x1",
       {.architecture = "bitnet",
        .hidden = 256,
        .ffn = 384,
        .heads = 4,
        .kv_heads = 4,
        .head_dim = 96,
        .scales = true}},
      {"qwen3-128x2",
       {.architecture = "qwen3",
        .hidden = 384,
        .ffn = 640,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 128,
        .yarn_factor = 4}},
      {"qwen3-in-64x1",
       {.architecture = "qwen3",
        .hidden = 128,
        .ffn = 256,
        .heads = 2,
        .kv_heads = 2,
        .head_dim = 64,
        .input_norms = true}},
      {"qwen3-q2_0-128x2",
       {.architecture = "qwen3",
        .hidden = 384,
        .ffn = 640,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 128,
        .vocab = 150,
        .linear = TensorType::kQ2_0,
        .embedding = TensorType::kQ2_0}},
      {"gemma3-in-256x4",
       {.architecture = "gemma3",
        .hidden = 256,
        .ffn = 256,
        .heads = 4,
        .kv_heads = 1,
        .head_dim = 256,
        .window = 128,
        .input_norms = true}}};
  std::string path = BITFETCH_SOURCE_DIR "/models/tiny.gguf";
  if (const auto shape = shapes.find(GetParam()); shape != shapes.end()) {
    shape->second.context = 128;
    path = folder.Path("model.gguf");
    ASSERT_TRUE(WriteTestModel(path, shape->second));
  }

  const bool update = std::getenv("BITFETCH_UPDATE_GOLDEN") != nullptr;
  auto golden = ReadGolden();
  for (size_t type = 0; type < kTypes.size(); ++type) {
    if (kOfOneType.contains(GetParam()) && kTypes[type] != kOneType) continue;
    const KvTypes types = ParseKvTypes(kTypes[type]).value();
    const std::string key = GetParam() + "/" + kTypes[type];
    if (update) golden[key] = HashLogits(path, types, {.isa = "scalar"});
    for (const Variant& variant : Variants(type)) {
      EXPECT_EQ(HashLogits(path, types, variant), golden[key])
          << key << " on " << variant.isa << ", batches of " << variant.batch << ", "
          << variant.threads << " threads, prefetch " << variant.prefetch;
    }
  }
  if (update) {
    std::ofstream file(kGoldenFile);
    for (const auto& [name, hash] : golden) file << name << " " << hash << "\n";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         ::testing::Values("tiny", "bitnet-128x5", "bitnet-64x2", "llama-96x1",
                                           "qwen3-128x2", "qwen3-q2_0-128x2", "qwen3-in-64x1",
                                           "gemma3-in-256x4", "1bitllm-96x1"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace bitfetch
