// SPDX-License-Identifier: Apache-2.0
// Architectures as data: a file in this folder each. docs/howto-add-a-model.md says how to add one.
#ifndef BITFETCH_MODEL_ARCH_ARCHITECTURE_H_
#define BITFETCH_MODEL_ARCH_ARCHITECTURE_H_

#include <array>
#include <cstdint>
#include <span>
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

// "silu", as GGUF files and Hugging Face's call it.
std::string_view ActivationName(Activation activation);

// How files call a tensor of a layer: GGUF between "blk.N." and ".weight", Hugging Face's between
// "model.layers.N." and ".weight".
struct TensorName {
  std::string_view gguf = {};
  std::string_view hf = {};
};

// A norm without a name is one that the architecture does not have.
struct LayerNames {
  TensorName attn_norm = {"attn_norm", "input_layernorm"};
  TensorName attn_q = {"attn_q", "self_attn.q_proj"};
  TensorName attn_k = {"attn_k", "self_attn.k_proj"};
  TensorName attn_v = {"attn_v", "self_attn.v_proj"};
  TensorName q_norm = {};  // of each head before RoPE
  TensorName k_norm = {};
  TensorName attn_output = {"attn_output", "self_attn.o_proj"};
  TensorName attn_sub_norm = {};   // of the input of attn_output alone
  TensorName post_attn_norm = {};  // of what attention adds to the residual stream
  TensorName ffn_norm = {"ffn_norm", "post_attention_layernorm"};
  TensorName ffn_gate = {"ffn_gate", "mlp.gate_proj"};
  TensorName ffn_up = {"ffn_up", "mlp.up_proj"};
  TensorName ffn_down = {"ffn_down", "mlp.down_proj"};
  TensorName ffn_sub_norm = {};  // of the input of ffn_down alone
  TensorName post_ffn_norm = {};
};

// A family of models, in what its files don't say themselves.
struct Architecture {
  std::string_view name;             // in general.architecture, and before the keys of a file
  std::string_view older_name = {};  // the same in older files
  RopeForm rope_form = RopeForm::kHalfSplit;
  Activation activation = Activation::kSilu;
  LayerNames layer = {};
  bool scales_embedding = false;  // by sqrt(hidden)
  // Some models have a norm before every projection, called like it with "_norm_in" behind, and by
  // Hugging Face with ".norm".
  bool may_have_input_norms = false;
  // Where a file has a window, it is that of every layer but each of this number, and layers that
  // have it turn by a RoPE theta of their own, unless the file says otherwise. 0: layers are alike.
  int64_t window_period = 0;
  float window_rope_theta = 0;

  // What is otherwise in Hugging Face's folders. The classes that config.json names:
  std::array<std::string_view, 2> hf_classes = {};
  bool hf_is_ternary = false;      // trained so, whether config.json says it or not
  bool hf_norms_less_one = false;  // norms are stored less 1, but for those before projections
};

extern const Architecture kBitNet;
extern const Architecture kBitNet1BitLlm;
extern const Architecture kGemma3;
extern const Architecture kLlama;
extern const Architecture kQwen3;

std::span<const Architecture* const> Architectures();

// The one that goes by this name, or null.
const Architecture* FindArchitecture(std::string_view name);

// All names, with commas between, for messages.
std::string ArchitectureNames();

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_ARCH_ARCHITECTURE_H_
