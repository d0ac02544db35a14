// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

#include <array>

namespace bitfetch {
namespace {

constexpr std::array kArchitectures = {&kBitNet, &kBitNet1BitLlm, &kLlama, &kQwen3, &kGemma3};

}  // namespace

std::string_view ActivationName(Activation activation) {
  switch (activation) {
    case Activation::kSquaredRelu:
      return "relu2";
    case Activation::kSilu:
      return "silu";
    case Activation::kGelu:
      return "gelu_pytorch_tanh";
  }
  __builtin_unreachable();
}

std::span<const Architecture* const> Architectures() { return kArchitectures; }

const Architecture* FindArchitecture(std::string_view name) {
  for (const Architecture* architecture : kArchitectures) {
    if (name == architecture->name) return architecture;
    if (!name.empty() && name == architecture->older_name) return architecture;
  }
  return nullptr;
}

std::string ArchitectureNames() {
  std::string names;
  for (const Architecture* architecture : kArchitectures) {
    for (const std::string_view name : {architecture->name, architecture->older_name}) {
      if (name.empty()) continue;
      if (!names.empty()) names += ", ";
      names += name;
    }
  }
  return names;
}

}  // namespace bitfetch
