// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_STAGE_PROFILE_H_
#define BITFETCH_MODEL_STAGE_PROFILE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "machine/clock.h"

namespace bitfetch {

// What a forward pass does, in its order.
enum class Stage {
  kEmbed,       // the tokens' embeddings
  kNorm,        // norms and quantisation of activations, before every product
  kQkv,         // queries, keys and values
  kStore,       // RoPE, and storing keys and values
  kAttention,   // reads the KV cache
  kAttnOutput,  // the product behind it, and the residual
  kGateUp,      // gate, up and what joins them
  kDown,        // the last product of a layer, and the residual
  kHead,        // the last norm, and logits
  kMove,        // weights to huge pages, while the first tokens are computed
  kBetween,     // none of these: what plans, checks and publishes, and whoever draws tokens
};
inline constexpr size_t kStages = static_cast<size_t>(Stage::kBetween) + 1;

std::string_view StageName(Stage stage);  // "embed", "norm", "qkv", ...

// Where the time went since it was made, all of it, and what was read from weights and KV cache
// meanwhile. Some clock readings for each stage of each layer, of 25 ns or so.
class StageProfile {
 public:
  struct Total {
    double ns = 0;
    int64_t bytes = 0;
    int64_t runs = 0;
    Total& operator+=(const Total& other);
  };

  // The next stage begins now; what came since the last has ended was between stages.
  void Begin() { End(Stage::kBetween); }
  // It ends now, and another may begin; returns how many nanoseconds it took.
  double End(Stage stage, int64_t bytes = 0) {
    const double now = NowNs();
    Total& total = totals_[static_cast<size_t>(stage)];
    const double ns = now - begin_ns_;
    total.ns += ns;
    total.bytes += bytes;
    ++total.runs;
    begin_ns_ = now;
    return ns;
  }

  // With what came since the last stage has ended.
  StageProfile UntilNow() const {
    StageProfile profile = *this;
    profile.Begin();
    return profile;
  }

  void Add(const StageProfile& other);

  const Total& at(Stage stage) const { return totals_[static_cast<size_t>(stage)]; }
  Total Sum() const;

 private:
  double begin_ns_ = NowNs();
  std::array<Total, kStages> totals_ = {};
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_STAGE_PROFILE_H_
