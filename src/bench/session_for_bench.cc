// SPDX-License-Identifier: Apache-2.0
#include "bench/session_for_bench.h"

#include <algorithm>
#include <vector>

#include "bench/random_floats.h"

namespace bitfetch {

Status SessionForBench::Fill(int64_t tokens) {
  BITFETCH_RETURN_IF_ERROR(session_.CheckRoom(tokens));
  constexpr int64_t kAtOnce = 16 * kTileTokens;
  const ModelConfig& config = session_.model().config();
  const std::vector<float> floats = RandomFloats(kAtOnce * config.kv_heads * config.head_dim);
  Rollback rollback(session_);
  session_.sequence_.state_.clear();
  KvCache& cache = session_.sequence_.cache_;
  for (int64_t done = 0; done < tokens; done += kAtOnce) {
    const int64_t count = std::min(kAtOnce, tokens - done);
    for (int layer = 0; layer < cache.layers(); ++layer) {
      BITFETCH_RETURN_IF_ERROR(cache.Append(layer, count, floats.data(), floats.data()));
    }
    session_.sequence_.tokens_.resize(session_.length() + count);
  }
  rollback.Keep();
  return {};
}

}  // namespace bitfetch
