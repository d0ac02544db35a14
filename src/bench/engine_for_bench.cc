// SPDX-License-Identifier: Apache-2.0
#include "bench/engine_for_bench.h"

#include <algorithm>
#include <vector>

#include "bench/random_floats.h"

namespace bitfetch {

Status EngineForBench::Fill(Sequence& sequence, std::span<const int> tokens) {
  BITFETCH_RETURN_IF_ERROR(engine_.CheckRoom(sequence, tokens.size()));
  constexpr int64_t kAtOnce = 16 * kTileTokens;
  const ModelConfig& config = engine_.model().config();
  const std::vector<float> floats = RandomFloats(kAtOnce * config.kv_heads * config.head_dim);
  sequence.ForgetGuesses();
  const int64_t before = sequence.length();
  KvCache& cache = sequence.cache_;
  const int64_t total = std::ssize(tokens);
  for (int64_t done = 0; done < total; done += kAtOnce) {
    const int64_t count = std::min(kAtOnce, total - done);
    for (int layer = 0; layer < cache.layers(); ++layer) {
      Status appended = cache.Append(layer, count, floats.data(), floats.data());
      if (!appended) {
        cache.Truncate(before);
        return appended;
      }
    }
  }
  sequence.tokens_.insert(sequence.tokens_.end(), tokens.begin(), tokens.end());
  sequence.states_.clear();
  return {};
}

}  // namespace bitfetch
