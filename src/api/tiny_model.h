// SPDX-License-Identifier: Apache-2.0
// For tests: the model of the repository through bitfetch.hpp.
#ifndef BITFETCH_API_TINY_MODEL_H_
#define BITFETCH_API_TINY_MODEL_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bitfetch/bitfetch.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {

inline const std::string kTinyModel = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

inline bitfetch_model_options QuietModelOptions() {
  bitfetch_model_options options = bitfetch_model_default_options();
  options.threads = 2;
  options.prefetch = "off";
  return options;
}

inline std::vector<int32_t> SomeTokens(int count, int seed) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 37 + seed * 101) % 2000);
  return tokens;
}

inline std::vector<float> LogitsOf(const Model& model, const Sequence& sequence) {
  std::vector<float> logits(static_cast<size_t>(model.vocab()));
  sequence.Logits(logits.data());
  return logits;
}

// Those behind `tokens`, of a model that has computed nothing else: [vocab].
inline std::vector<float> LogitsAlone(const std::vector<int32_t>& tokens) {
  const Model model(kTinyModel, QuietModelOptions());
  Sequence sequence(model);
  sequence.Append(tokens);
  return LogitsOf(model, sequence);
}

// `text` is a Sequence or a LanguageModel.
template <class Text>
std::string Generated(Text& text, std::string_view prompt, const bitfetch_sampling& sampling) {
  std::string all;
  EXPECT_TRUE(text.Generate(prompt, sampling, [&](std::string_view piece) {
    all += piece;
    return true;
  }));
  return all;
}

inline bitfetch_sampling ShortSampling(int64_t max_tokens, uint64_t seed = 0) {
  bitfetch_sampling sampling = bitfetch_default_sampling();
  sampling.max_tokens = max_tokens;
  sampling.seed = seed;
  return sampling;
}

inline void ExpectStatus(bitfetch_status status, bitfetch_status expected,
                         const std::string& message) {
  EXPECT_EQ(status, expected);
  EXPECT_THAT(bitfetch_last_error(), testing::HasSubstr(message));
}

}  // namespace bitfetch

#endif  // BITFETCH_API_TINY_MODEL_H_
