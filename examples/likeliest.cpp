// SPDX-License-Identifier: Apache-2.0
// The five likeliest next tokens after a text, token by token: likeliest MODEL.gguf "In the"
#include <algorithm>
#include <bitfetch/bitfetch.hpp>
#include <iostream>
#include <numeric>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " MODEL.gguf PROMPT\n";
    return 2;
  }
  bitfetch::LanguageModel model(argv[1]);
  model.Append(model.Tokenize(argv[2]));
  const std::vector<float> logits = model.Logits();
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::partial_sort(ids.begin(), ids.begin() + 5, ids.end(),
                    [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  for (int i = 0; i < 5; ++i) {
    std::cout << logits[ids[i]] << "  '" << model.TokenBytes(ids[i]) << "'\n";
  }
} catch (const bitfetch::Exception& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}
