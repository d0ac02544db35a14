// SPDX-License-Identifier: Apache-2.0
// Architectures as data: a file in this folder each. docs/howto-add-a-model.md says how to add one.
#ifndef BITFETCH_MODEL_ARCH_ARCHITECTURE_H_
#define BITFETCH_MODEL_ARCH_ARCHITECTURE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace bitfetch {

// What joins the two halves of a feed-forward layer: this of `gate`, times `up`.
enum class Activation { kSquaredRelu, kSilu, kGelu };  // GELU in the form with tanh

// Which elements of a head RoPE turns together.
enum class RopeForm {
  kHalfSplit,      // i and i + head_dim / 2 (NeoX)
  kAdjacentPairs,  // 2i and 2i + 1; ggml's "norm"
};

// How files call the tensors of a layer, without "blk.N." before and ".weight" behind. A norm
// without a name is one that the architecture does not have.
struct LayerNames {
  struct Projection {
    std::string_view weights;
    std::string_view norm = "";  // RMSNorm of the input, of this projection alone
  };
  std::string_view attn_norm = "attn_norm";
  Projection attn_q = {"attn_q"};
  Projection attn_k = {"attn_k"};
  Projection attn_v = {"attn_v"};
  std::string_view q_norm = "";  // of each head before RoPE
  std::string_view k_norm = "";
  Projection attn_output = {"attn_output"};
  std::string_view post_attn_norm = "";  // of what attention adds to the residual stream
  std::string_view ffn_norm = "ffn_norm";
  Projection ffn_gate = {"ffn_gate"};
  Projection ffn_up = {"ffn_up"};
  Projection ffn_down = {"ffn_down"};
  std::string_view post_ffn_norm = "";
};

// A family of models, in what its files don't say themselves.
struct Architecture {
  std::string_view name;             // in general.architecture, and before the keys of a file
  std::string_view older_name = "";  // the same in older files
  RopeForm rope_form = RopeForm::kHalfSplit;
  Activation activation = Activation::kSilu;
  LayerNames layer = {};
  bool scales_embedding = false;  // by sqrt(hidden)
  // Some models have a norm before every projection, called like it with "_norm_in" behind.
  bool may_have_input_norms = false;
  // Where a file has a window, it is that of every layer but each of this number, and layers that
  // have it turn by a RoPE theta of their own, unless the file says otherwise. 0: layers are alike.
  int64_t window_period = 0;
  float window_rope_theta = 0;
};

extern const Architecture kBitNet;
extern const Architecture kBitNet1BitLlm;
extern const Architecture kGemma3;
extern const Architecture kLlama;
extern const Architecture kQwen3;

// The one that goes by this name, or null.
const Architecture* FindArchitecture(std::string_view name);

// All names, with commas between, for messages.
std::string ArchitectureNames();

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_ARCH_ARCHITECTURE_H_
