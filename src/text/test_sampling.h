// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_TEST_SAMPLING_H_
#define BITFETCH_TEXT_TEST_SAMPLING_H_

#include <cstddef>
#include <random>
#include <string>

#include "text/sampler.h"

namespace bitfetch {

// A piece of a story, often twice, so that guesses from the text itself come true.
inline std::string AnyPrompt(std::mt19937& random) {
  const std::string story =
      "And God said, Let there be light: and there was light. And God saw the light, that it was "
      "good: and God divided the light from the darkness.";
  const size_t begin = random() % (story.size() - 20);
  std::string text = story.substr(begin, 1 + random() % 60);
  if (random() % 2 == 0) text += " " + text;
  return text;
}

// Greedy and sampled, with every kind of penalty.
inline SamplerOptions AnySampling(std::mt19937& random) {
  SamplerOptions sampling;
  sampling.seed = random();
  if (random() % 2 == 0) sampling.temperature = 0.1 + 0.3 * static_cast<double>(random() % 4);
  if (random() % 2 == 0) sampling.top_k = 1 + static_cast<int>(random() % 40);
  if (random() % 3 == 0) sampling.top_p = 0.9;
  if (random() % 3 == 0) sampling.min_p = 0.05;
  if (random() % 4 == 0) sampling.repeat_penalty = 1.1;
  if (random() % 4 == 0) sampling.frequency_penalty = 0.1;
  if (random() % 4 == 0) sampling.presence_penalty = 0.1;
  if (random() % 4 == 0) sampling.repeat_window = 5;
  if (random() % 4 == 0) sampling.bias = {{.id = 300, .value = 1}};
  return sampling;
}

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_TEST_SAMPLING_H_
